import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Admin } from 'kafkajs'
import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { cacheFolder } from '../../deploy/local/cache.ts'
import { askBrokerIds } from '../../deploy/local/handshake.ts'
import { areJarsCached } from '../../deploy/local/jars.ts'
import { chooseRung } from '../../deploy/local/ladder.ts'
import { dockerAnswers, probe } from '../../deploy/local/probe.ts'
import { processStart } from '../../deploy/local/process.ts'
import type { Stack } from '../../deploy/local/stack.ts'
import { bringUp } from '../../deploy/local/up.ts'
import { descendantsOf, survivors } from '../deploy/family.ts'

const run = promisify(execFile)
const holder = new URL('./hold-stack.ts', import.meta.url).pathname
const command = new URL('./broker-command.ts', import.meta.url).pathname
const withinMs = 10_000
/** Without what names a broker to use, so that these tests bring up their own. */
const { KAFKA_BROKERS: _, SCHEMA_REGISTRY_URL: __, ...ownEnv } = process.env

async function register(registry: string, subject: string, schema: object): Promise<Response> {
  return fetch(`${registry}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema) }),
  })
}

describe('the registry of the stack', () => {
  const registry = inject('registry')
  const field = { name: 'a', type: 'int' }

  it('gives an id, gives the schema back, and refuses an incompatible one with 409', async () => {
    const subject = `local-broker-${process.pid}-value`
    const first = await register(registry, subject, { type: 'record', name: 'R', fields: [field] })
    expect(first.status).toBe(200)
    const { id } = (await first.json()) as { id: number }
    const back = (await (await fetch(`${registry}/schemas/ids/${id}`)).json()) as { schema: string }
    expect(JSON.parse(back.schema)).toMatchObject({ name: 'R', fields: [field] })
    const required = { name: 'b', type: 'string' }
    const worse = await register(registry, subject, { type: 'record', name: 'R', fields: [field, required] })
    expect(worse.status).toBe(409)
    const optional = { ...required, default: '' }
    const better = await register(registry, subject, { type: 'record', name: 'R', fields: [field, optional] })
    expect(better.status).toBe(200)
  })

  it('answers 404 with code 40403 for an id that nobody registered', async () => {
    const answer = await fetch(`${registry}/schemas/ids/987654`)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error_code: 40403 })
  })
})

describe('a process that holds a broker', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)(
    'leaves no process and no data behind when it gets %s',
    async (signal) => {
      const parent = spawn(process.execPath, ['--no-warnings', holder], {
        env: ownEnv,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => {
        parent.kill('SIGKILL')
      })
      const [line] = (await once(createInterface(parent.stdout!), 'line')) as [string]
      const { rung, brokers, nodes } = JSON.parse(line) as Stack
      expect(await askBrokerIds(addressOf(brokers))).toEqual([1])
      const family = descendantsOf(parent.pid!)
      if (rung === 'java') {
        expect(family.map(({ pid }) => pid)).toContain(nodes[0]?.pid)
        expect(family.filter(({ command: each }) => /\bjava /.test(each))).toHaveLength(2)
      }
      const folders = family.flatMap(
        ({ command: each }) => /java\.io\.tmpdir=(\S+)\/tmp/.exec(each)?.[1] ?? [],
      )
      parent.kill(signal)
      expect(await survivors(family, withinMs)).toEqual([])
      const left = readdirSync(tmpdir()).map((name) => join(tmpdir(), name))
      expect(folders.filter((folder) => left.includes(folder))).toEqual([])
      await expect(askBrokerIds(addressOf(brokers))).rejects.toThrow()
    },
  )
})

describe('a node', () => {
  it('is ended and started again with another process, the same address and the same topics', async () => {
    await using stack = await bringUp({ env: ownEnv })
    await createTopic(stack.brokers, 'kept')
    const before = stack.nodes[0]?.pid
    // In order: after SIGKILL the controller keeps the id for the old session's 9 s.
    await stack.kill(1, 'SIGTERM')
    await expect(askBrokerIds(addressOf(stack.brokers))).rejects.toThrow()
    expect(stack.nodes).toEqual([{ id: 1, pid: null }])
    await stack.restart(1)
    if (stack.rung === 'java') expect(stack.nodes[0]?.pid).not.toBe(before)
    expect(await topicsOf(stack.brokers)).toContain('kept')
  })
})

const { rung } = chooseRung(await probe(ownEnv, areJarsCached(ownEnv)))
// Three containers have their test below.
if (rung === 'java') {
  it('a stack of three nodes on Java answers at all three, and each knows the others', async () => {
    await using stack = await bringUp({ env: ownEnv, nodes: 3 })
    const pids = stack.nodes.map(({ pid }) => pid)
    expect(stack.nodes.map(({ id }) => id)).toEqual([1, 2, 3])
    expect(new Set(pids).size).toBe(3)
    expect(pids).not.toContain(null)
    const addresses = stack.brokers.split(',')
    expect(new Set(addresses).size).toBe(3)
    for (const address of addresses) expect(await askBrokerIds(addressOf(address))).toEqual([1, 2, 3])
  })
}

it('a stack in a kept folder leaves its topics and schemas to the next one there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-kept-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const first = await bringUp({ env: ownEnv, folder })
  onTestFinished(() => first.stop())
  // Containers begin empty, so there is nothing to see.
  if (first.rung !== 'java') return
  await createTopic(first.brokers, 'kept')
  await register(first.registry, 'kept-value', { type: 'record', name: 'R', fields: [] })
  await first.stop()
  await using second = await bringUp({ env: ownEnv, folder })
  expect(await topicsOf(second.brokers)).toContain('kept')
  expect(await (await fetch(`${second.registry}/subjects`)).json()).toEqual(['kept-value'])
})

const hasEngine = await dockerAnswers(ownEnv)
if (!hasEngine) process.stdout.write('not run: no engine\n')
else {
  describe('docker: a stack of containers', () => {
    it.each([1, 3] as const)(
      'of %i nodes answers, keeps the topics of a killed node, and goes',
      async (nodes) => {
        const { bringUpInDocker } = await import('../../deploy/local/docker-stack.ts')
        const stack = await bringUpInDocker({ nodes, env: ownEnv, onProgress: () => {} })
        onTestFinished(() => stack.stop())
        const ids = Array.from({ length: nodes }, (_, index) => index + 1)
        expect(await askBrokerIds(addressOf(stack.brokers))).toEqual(ids)
        const schema = { type: 'record', name: 'R', fields: [] }
        expect((await register(stack.registry, 'in-docker-value', schema)).status).toBe(200)
        await createTopic(stack.brokers, 'kept')
        await stack.kill(1)
        await expect(askBrokerIds(addressOf(stack.brokers))).rejects.toThrow()
        await stack.restart(1)
        expect(await topicsOf(stack.brokers)).toContain('kept')
        await stack.stop()
        await expect(askBrokerIds(addressOf(stack.brokers))).rejects.toThrow()
      },
    )
  })
}

describe('tidemark broker', () => {
  function background() {
    const cache = mkdtempSync(join(tmpdir(), 'tidemark-command-'))
    // The state is this test's own, the jars are everybody's.
    symlinkSync(join(cacheFolder(ownEnv), 'jars'), join(cache, 'jars'))
    const env = { ...ownEnv, TIDEMARK_CACHE: cache }
    const broker = (...args: string[]) =>
      run(process.execPath, ['--no-warnings', command, ...args], { env }).then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        (error: { code: number; stdout: string; stderr: string }) => error,
      )
    onTestFinished(async () => {
      await broker('down')
      rmSync(cache, { recursive: true })
    })
    return broker
  }

  it('up stays when its command has ended, a second up finds it, and down ends every process', async () => {
    const broker = background()
    expect(await broker('status', '--json')).toMatchObject({ code: 1, stdout: '{"running":false}\n' })
    const first = await broker('up')
    expect(first.stdout).toMatch(/^export KAFKA_BROKERS=\S+:\d+\nexport SCHEMA_REGISTRY_URL=http:\S+\n$/)
    const second = await broker('up', '--json')
    expect(second.stderr).toContain('already running')
    const found = JSON.parse(second.stdout) as { pid: number; brokers: string; registry: string }
    expect(first.stdout).toContain(`KAFKA_BROKERS=${found.brokers}\n`)
    expect((await fetch(`${found.registry}/subjects`)).status).toBe(200)
    const status = await broker('status', '--json')
    expect(status.code).toBe(0)
    expect(JSON.parse(status.stdout)).toMatchObject({
      running: true,
      answers: { brokers: 1, registry: true },
    })
    const family = [...descendantsOf(found.pid)]
    expect(family.length).toBeGreaterThan(0)
    expect((await broker('down')).stdout).toBe('stopped\n')
    expect(processStart(found.pid)).toBe('')
    expect(await survivors(family, withinMs)).toEqual([])
    expect((await broker('down')).stdout).toBe('not running\n')
  })

  it('no process outlives the owner of a background broker that gets SIGKILL', async () => {
    const broker = background()
    const { pid } = JSON.parse((await broker('up', '--json')).stdout) as { pid: number }
    const family = descendantsOf(pid)
    process.kill(pid, 'SIGKILL')
    expect(await survivors(family, withinMs)).toEqual([])
    expect(await broker('status')).toMatchObject({ code: 1, stdout: 'not running\n' })
  })
})

async function withAdmin<T>(brokers: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return work(admin).finally(() => admin.disconnect())
}

function createTopic(brokers: string, topic: string): Promise<boolean> {
  return withAdmin(brokers, (admin) => admin.createTopics({ topics: [{ topic }], waitForLeaders: true }))
}

function topicsOf(brokers: string): Promise<string[]> {
  return withAdmin(brokers, (admin) => admin.listTopics())
}

function addressOf(brokers: string): { host: string; port: number } {
  const first = brokers.split(',')[0] ?? ''
  const colon = first.lastIndexOf(':')
  return { host: first.slice(0, colon), port: Number(first.slice(colon + 1)) }
}
