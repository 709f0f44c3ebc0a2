import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeKafkaJs } from '../../../services/runtime/kafka/client.ts'
import { openPlainWriter } from '../../../services/runtime/kafka/writer.ts'
import { descendantsOf, survivors } from '../../deploy/family.ts'
import { type Net, openNet } from '../../faults/net/net.ts'

const holder = fileURLToPath(new URL('hold-net.ts', import.meta.url))

describe('a net', () => {
  let net: Net
  beforeAll(async () => {
    net = await openNet({ nodes: 3 })
  })
  afterAll(() => net?.close())

  const kafka = (brokers: string) => makeKafkaJs({ brokers: brokers.split(','), clientId: 'net-test' })

  async function portsAdvertised(brokers: string): Promise<number[]> {
    const admin = kafka(brokers).admin()
    await admin.connect()
    const cluster = await admin.describeCluster()
    await admin.disconnect()
    return cluster.brokers.map(({ port }) => port).sort()
  }
  const portsOf = (brokers: string) =>
    brokers
      .split(',')
      .map((each) => Number(each.split(':')[1]))
      .sort()

  it('tells clients of its proxies only, and those who come directly of the brokers only', async () => {
    expect(await portsAdvertised(net.brokers)).toEqual(portsOf(net.brokers))
    expect(await portsAdvertised(net.directBrokers)).toEqual(portsOf(net.directBrokers))
    expect(portsOf(net.brokers).filter((port) => portsOf(net.directBrokers).includes(port))).toEqual([])
  })

  it('touches what clients send, and nothing that brokers send each other', async () => {
    const admin = kafka(net.directBrokers).admin()
    await admin.connect()
    const place = { topic: 'copied', partition: 0 }
    await admin.createTopics({ topics: [{ topic: 'copied', replicationFactor: 3 }], waitForLeaders: true })
    await admin.disconnect()
    // Followers copy with Fetch; acknowledged by all of them means that theirs came through.
    const rule = net.rule({ api: 'Fetch', side: 'request', action: 'drop' })
    const writer = await openPlainWriter(kafka(net.brokers), 'none')
    const [written] = await writer.write([{ ...place, records: [{ key: null, value: Buffer.from('v') }] }])
    expect([written!.baseOffset, rule.hits]).toEqual([0, 0])
    rule.remove()
    await writer.close()
  })

  it('kills the leader of a partition, names the next one, and takes the killed node back', async () => {
    const leader = await net.leaderOf('copied', 0)
    await net.killNode(leader)
    await expect.poll(() => net.leaderOf('copied', 0), { timeout: 30_000 }).not.toBe(leader)
    await net.restartNode(leader)
    expect(await portsAdvertised(net.brokers)).toEqual(portsOf(net.brokers))
  })

  it('has a registry that is down, up, wrong and right again', async () => {
    const ask = async () => (await fetch(`${net.registry}/subjects`)).json()
    expect(await ask()).toEqual([])
    await net.registryDown()
    await expect(ask()).rejects.toThrow('fetch failed')
    await net.registryUp()
    net.registryRubbish('html')
    await expect(ask()).rejects.toThrow('JSON')
    net.registryRubbish(false)
    expect(await ask()).toEqual([])
  })
})

it.each(['SIGINT', 'SIGKILL'] as const)('leaves no process behind when its owner gets %s', async (signal) => {
  const parent = spawn(process.execPath, ['--no-warnings', holder], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    parent.kill('SIGKILL')
  })
  await once(createInterface(parent.stdout), 'line')
  const family = descendantsOf(parent.pid!)
  expect(family.filter(({ command }) => /\bjava /.test(command))).toHaveLength(2)
  parent.kill(signal)
  expect(await survivors(family, 10_000)).toEqual([])
})
