import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeKafkaJs } from '../../../services/runtime/kafka/client.ts'
import { type Fetcher, openFetcher } from '../../../services/runtime/kafka/fetch.ts'
import { openPlace, type Place, within } from '../../end-to-end/command.ts'
import { type Net, openNet } from '../../faults/net/net.ts'
import { readAll, valuesOf } from '../kafka-support.ts'

const partitions = 3
const count = 300

let net: Net
let place: Place
let fetcher: Fetcher

beforeAll(async () => {
  net = await openNet({ nodes: 3 })
  place = openPlace()
  const direct = makeKafkaJs({ brokers: net.directBrokers.split(','), clientId: 'direct' })
  fetcher = await openFetcher(direct, 1 << 20)
  const admin = direct.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: partitions }], waitForLeaders: true })
  await admin.disconnect()
})
afterAll(async () => {
  await fetcher?.close()
  await place?.[Symbol.asyncDispose]()
  await net?.close()
})

/** The ids in the topic, by partition, in order. */
async function idsWritten(): Promise<number[][]> {
  const all = [...Array(partitions).keys()].map((partition) => readAll(fetcher, 'orders', partition))
  return (await Promise.all(all)).map((read) => valuesOf(read).map((value) => Number(JSON.parse(value).id)))
}

it('`tidemark produce` outlives a leader and then every broker, says that it waits, and writes every record', async () => {
  const file = join(place.folder, 'orders.jsonl')
  const lines = Array.from({ length: count }, (_, id) => JSON.stringify({ id, customer: `c${id % 40}` }))
  writeFileSync(file, lines.join('\n'))
  const args = ['produce', 'orders', '--file', file, '--key', 'customer', '--per-second', '30']
  const child = place.start(args, { KAFKA_BROKERS: net.brokers, SCHEMA_REGISTRY_URL: net.registry })
  const written = (least: number) =>
    expect.poll(async () => (await idsWritten()).flat().length, { timeout: 60_000 }).toBeGreaterThan(least)

  await written(20)
  const leader = await net.leaderOf('orders', 0)
  await net.killNode(leader)
  await written(80)
  const tries = () => child.stderr().split('Kafka did not take').length
  const before = tries()
  for (const node of net.nodes) if (node !== leader) await net.killNode(node)
  await expect.poll(tries, { timeout: 60_000 }).toBeGreaterThan(before)
  await Promise.all(net.nodes.map((node) => net.restartNode(node)))

  const { code, stdout, stderr } = await within(90_000, child, 'tidemark produce')
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${count} records written to orders\n` })
  expect(stderr).toMatch(/^Kafka did not take the records \(\w+\); the next try is in \d+ ms$/m)
  expect(stderr).toContain('Kafka takes records again\n')
  for (const ids of await idsWritten()) {
    // A repeated record stands behind the one that it repeats, so that order is what it was.
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  }
  expect(new Set((await idsWritten()).flat()).size).toBe(count)
})
