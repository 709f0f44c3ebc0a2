import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import type { FeatureVector } from '../../schemas/types.ts'
import { emptyTopics } from '../../services/cli/reset.ts'
import { connectKafka } from '../../services/runtime/kafka/client.ts'
import { flightRecords } from '../../topologies/flight-delay/streams.ts'
import { loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { aliveOf, descendantsOf, survivors } from '../deploy/family.ts'
import { type Child, openPlace, type Place, until, within } from './command.ts'
import { flightDelay } from './flight-books.ts'
import { payload, wrongVectors } from './proof.ts'
import { readRun } from './run-topics.ts'

/** Departures and landings of the first days, in the order in which they happened. */
const records = flightRecords(readFileSync(join(flightDelay, 'data', 'flights-2001q1.csv'), 'utf8'))
const [first, second, third] = [records.slice(0, 600), records.slice(600, 3_000), records.slice(3_000, 3_300)]

/** Of its own, should the broker outlive the test. */
const name = `elsewhere-${randomUUID().slice(0, 8)}`

let place: Place
let topology: string

beforeAll(() => {
  place = openPlace()
  topology = copyTopology('elsewhere', (text) => text)
})

afterAll(async () => {
  const kafka = connectKafka({ brokers: inject('brokers').split(','), clientId: 'end-to-end' })
  try {
    await emptyTopics(kafka, planOf((await loadTopology(topology)).topology))
  } finally {
    await kafka.close()
    await place[Symbol.asyncDispose]()
  }
})

describe('a topology in a folder outside the repository', () => {
  it('does not start before it has been applied', async () => {
    const { code, stderr } = await place.run(['start', 'features', '--topology', topology])
    expect({ code, said: stderr.slice(0, 15) }).toEqual({ code: 1, said: 'TM_NOT_APPLIED:' })
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('is planned and applied by its path, and then nothing is left to do', async () => {
    const before = await place.run(['plan', topology])
    expect(before.code).toBe(0)
    expect(before.stdout).toContain(`${name} version 1`)
    expect(before.stdout).toMatch(new RegExp(`create\\s+${name}\\.predictions`))
    const applied = await place.run(['apply', topology])
    expect(applied.stderr).toBe('')
    expect(applied.stdout).toContain(`applied ${name} version 1, hash `)
    expect(applied.stdout).toMatch(/: [1-9]\d* topics created\n$/)
    expect((await place.run(['apply', topology])).stdout).toContain(': 0 topics created')
    expect((await place.run(['plan', topology])).stdout).not.toMatch(/create\s/)
  })

  it('serves what is produced, and goes on after SIGTERM where it was, with its state and without', async () => {
    await produce(first)
    const features = startFeatures()
    await tailFeatures(departures(first).length)
    // SIGTERM in the middle of its work, while more is being produced.
    const some = tailFeatures(departures(first).length + 20)
    const produced = produce(second)
    await some
    expect(await stop(features)).toBe(0)
    await produced

    const again = startFeatures()
    await addressOf(again)
    await tailFeatures(departures([...first, ...second]).length)
    expect(await stop(again)).toBe(0)

    const withoutState = startFeatures({ TIDEMARK_STATE: join(place.folder, 'empty') })
    await produce(third)
    await addressOf(withoutState)
    await tailFeatures(departures([...first, ...second, ...third]).length)
    expect(await stop(withoutState)).toBe(0)

    const run = await readRun(inject('brokers'), inject('registry'), topology)
    expect(wrongVectors(run).slice(0, 5)).toEqual([])
    const ids = payload<FeatureVector>(run, 'features').map(({ value }) => value.id)
    expect(ids.toSorted()).toEqual(departures([...first, ...second, ...third]).toSorted())
  }, 180_000)

  it('says on loopback whether it is alive and ready, and how it does', async () => {
    const features = startFeatures()
    const address = await addressOf(features)
    expect(new URL(address).hostname).toBe('127.0.0.1')
    expect(await statusOf(`${address}/health`)).toBe(200)
    await until('it is ready', 30_000, async () =>
      (await statusOf(`${address}/ready`)) === 200 ? true : undefined,
    )
    const metrics = await (await fetch(`${address}/metrics`)).text()
    expect(metrics).toMatch(/^tidemark_\w+\{.*service="features".*\} \d/m)
    expect(await statusOf(`${address}/secrets`)).toBe(404)
    expect(await stop(features)).toBe(0)
  })
})

describe('what the command line refuses', () => {
  it('a service of another version of the topology than the applied one', async () => {
    const changed = copyTopology('changed', (text) => text.replace('threshold: 0.18', 'threshold: 0.19'))
    expect(await failure(['start', 'features', '--topology', changed])).toBe('TM_HASH_DIFFERS')
  })

  it('a run over topics that another run has used', async () => {
    expect(await failure(['dev', topology, '--once', '--json'])).toBe('TM_TOPICS_NOT_EMPTY')
  })

  it('services, topics and files that are not there', async () => {
    expect(await failure(['start', 'fortunes', '--topology', topology], 2)).toBe('TM_USAGE')
    expect(await failure(['tail', `${name}.fortunes`])).toBe('TM_TOPICS')
    expect(await failure(['produce', `${name}.departures`, '--file', 'nowhere.jsonl'], 2)).toBe('TM_USAGE')
    expect(await failure(['fortunes'], 2)).toBe('TM_USAGE')
  })
})

describe('dev over a topology without a demo', () => {
  it('runs all four services until it is interrupted, and ends then', async () => {
    const dev = place.start(['dev', topology, '--reset'])
    await said(dev, '4 service processes run')
    dev.kill('SIGINT')
    const { code, signal } = await within(20_000, dev, 'dev, after SIGINT')
    expect({ code, signal }).toEqual({ code: 0, signal: null })
  }, 120_000)

  it('leaves none of its four services behind when it gets SIGKILL', async () => {
    const dev = place.start(['dev', topology, '--reset'])
    await said(dev, '4 service processes run')
    const services = descendantsOf(dev.pid).filter(({ command }) => / start \w+ --topology /.test(command))
    onTestFinished(() => {
      for (const { pid } of aliveOf(services)) process.kill(pid, 'SIGKILL')
    })
    expect(aliveOf(services)).toHaveLength(4)
    dev.kill('SIGKILL')
    expect(await survivors(services, 10_000)).toEqual([])
    expect(await dev.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
  }, 120_000)
})

/** The flight topology with topics of its own, in a folder that holds nothing but what belongs to it. */
function copyTopology(folderName: string, change: (text: string) => string): string {
  const folder = join(place.folder, folderName)
  mkdirSync(folder)
  cpSync(join(flightDelay, 'model'), join(folder, 'model'), {
    recursive: true,
    filter: (path) => !path.includes('.venv'),
  })
  const text = readFileSync(join(flightDelay, 'topology.ts'), 'utf8')
    .replace("topology('flight-delay'", `topology('${name}'`)
    .replaceAll("'flights.", `'${name}.`)
  writeFileSync(join(folder, 'topology.ts'), change(text))
  return folder
}

async function produce(some: typeof records): Promise<void> {
  for (const [topic, ofTopic] of Map.groupBy(some, (record) => record.topic.replace('flights', name))) {
    const file = join(place.folder, `${topic}.jsonl`)
    writeFileSync(file, ofTopic.map(({ value }) => `${JSON.stringify(value)}\n`).join(''))
    const key = topic.endsWith('departures') ? 'origin' : 'destination'
    const { stdout } = await place.run(['produce', topic, '--file', file, '--key', key])
    expect(stdout).toBe(`${ofTopic.length} records written to ${topic}\n`)
  }
}

function departures(some: typeof records): string[] {
  return some
    .filter(({ topic }) => topic === 'flights.departures')
    .map(({ value }) => String(value['flight']))
}

function startFeatures(settings: NodeJS.ProcessEnv = {}): Child {
  return place.start(['start', 'features', '--topology', topology], settings)
}

/** Waits for so many vectors: that is when tail ends. */
async function tailFeatures(count: number): Promise<void> {
  const args = ['tail', `${name}.features`, '--follow', '--json', '--limit', String(count)]
  const { code, stdout } = await place.run(args)
  expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: count })
}

async function addressOf(service: Child): Promise<string> {
  return until('the service says where it answers', 30_000, async () => {
    return /http:\/\/[\d.]+:\d+/.exec(service.stdout())?.[0]
  })
}

/** Waits for a word on standard error; a process that ends without it says why. */
async function said(child: Child, word: string): Promise<void> {
  const sign = until(word, 60_000, async () => (child.stderr().includes(word) ? true : undefined))
  const early = child.ended.then(({ code }) => Promise.reject(new Error(`it ended with ${code}`)))
  try {
    await Promise.race([sign, early])
  } catch (error) {
    throw new Error(`it never said "${word}" but: ${child.stderr().slice(-3_000)}`, { cause: error })
  }
}

async function stop(service: Child): Promise<number | null> {
  service.kill('SIGTERM')
  return (await within(20_000, service, 'the service, after SIGTERM')).code
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url)
  await response.text()
  return response.status
}

/** The code of a command that must fail with one line. */
async function failure(args: readonly string[], expected = 1): Promise<string | undefined> {
  const { code, stderr } = await place.run(args)
  expect({ code, lines: stderr.trimEnd().split('\n').length }, stderr).toEqual({ code: expected, lines: 1 })
  return /^(TM_\w+): /.exec(stderr)?.[1]
}
