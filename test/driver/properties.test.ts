import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPayload } from '../../services/cli/read-all.ts'
import { checkpointKey, filledKey } from '../../services/runtime/changelog.ts'
import { openMemoryRun } from '../../services/runtime/in-memory.ts'
import { replayJournals } from '../../services/runtime/in-memory-replay.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import { partitionOf } from '../../services/runtime/kafka/partition.ts'
import { type Composed, compose } from '../../services/testing/compose.ts'
import { type Driver, type DriverOptions, openDriver } from '../../services/testing/driver.ts'
import { serviceNames } from '../../topologies/topics.ts'
import { copyFlightDelay, type Line, troubledFlights } from './flights.ts'
import { random } from './random.ts'
import { writtenBy, writtenTopics } from './written.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`driver/properties seed ${seed}`)

const everything = Number.POSITIVE_INFINITY
const folder = mkdtempSync(join(tmpdir(), 'tidemark-properties-'))
afterAll(() => rmSync(folder, { recursive: true }))
const topology = copyFlightDelay(folder, 'flights', 2)
const lines = troubledFlights(seed, 60)

let composed: Composed
let calm: Life
/** What every task read, marks included. */
let journals: FetchedRecord[][]

beforeAll(async () => {
  composed = await compose(topology, undefined, serviceNames)
  calm = await live()
  journals = await journalsOf(lines)
}, 60_000)

describe('what a topology makes of troubled flights', { timeout: 60_000 }, () => {
  it('is something of everything', () => {
    for (const noun of ['features', 'predictions', 'outcomes', 'drift', 'coverage', 'dead-letters', 'late'])
      expect(calm.records[`flights.${noun}`]?.length ?? 0, noun).toBeGreaterThan(noun === 'late' ? -1 : 0)
  })

  it('is the same when it is made again', async () => {
    expect(await live()).toEqual(calm)
  })

  it('is not changed by a restart, wherever it comes', async () => {
    const { below } = random(seed + 1)
    const cuts = new Set(Array.from({ length: 12 }, () => below(lines.length)))
    expect(await live({}, (driver, at) => (cuts.has(at) ? driver.restart() : undefined))).toEqual(calm)
  })

  it('is not changed by restarts onto a store that is still there', async () => {
    const storeFolder = join(folder, 'stores')
    const restarts = (driver: Driver, at: number) => (at % 25 === 7 ? driver.restart() : undefined)
    expect(await live({ storeFolder }, restarts)).toEqual(calm)
  })

  it('is not changed by restarts in the middle of commits', async () => {
    const restarts = (driver: Driver, at: number) => (at % 20 === 3 ? driver.restart() : undefined)
    expect(await live({ commitEvery: 7 }, restarts)).toEqual(await live({ commitEvery: 7 }))
  })
})

describe('a task, given its journal,', { timeout: 60_000 }, () => {
  it.each([
    ['commits seven at a time', { commitEvery: 7 }],
    ['commits once', { commitEvery: Number.POSITIVE_INFINITY }],
    ['begins again after every fifth record', { restartEvery: 5 }],
    ['begins again in the middle of commits', { commitEvery: 7, restartEvery: 3 }],
  ])('writes and remembers the same when it %s', async (_, how) => {
    expect(await replayed(journals, how)).toEqual(await replayed(journals, {}))
  })

  it('writes and remembers the same when its upstream repeats itself', async () => {
    const { below, chance } = random(seed + 2)
    let repeats = 0
    const doubled = journals.map((journal) => {
      // What a user repeats is another event to us, until its id is looked at.
      if (
        journal[0]?.topic.startsWith('flights.departures') ||
        journal[0]?.topic.startsWith('flights.landings')
      )
        return journal
      const written: FetchedRecord[] = []
      for (const [at, record] of journal.entries()) {
        written.push(record)
        if (!chance(0.1)) continue
        const from = Math.max(0, at - below(6))
        written.push(...journal.slice(from, at + 1))
        repeats += at + 1 - from
      }
      return written.map((record, offset) => ({ ...record, offset }))
    })
    expect(repeats).toBeGreaterThan(50)
    const once = await replayed(journals, {}, 'left out')
    expect(await replayed(doubled, {}, 'left out')).toEqual(once)
  })

  it('stops when its upstream has begun again with nothing', async () => {
    const { wire } = composed
    const isEvent = ({ value }: FetchedRecord) => wire.decode('JournalEntry', value!)['kind'] === 'event'
    const journal = journals.find(
      (records) => records[0]?.topic === 'flights.airport-journal' && records.some(isEvent),
    )!
    const last = journal.findLast(isEvent)!
    const entry = wire.decode('JournalEntry', last.value!)
    const again = { ...entry, origin: { ...(entry['origin'] as object), incarnation: 2, index: 1 } }
    const reset = { ...last, offset: journal.length, value: wire.encode('JournalEntry', again, last.topic) }
    await expect(replayed([[...journal, reset]], {})).rejects.toMatchObject({ code: 'TM_UPSTREAM_RESET' })
  })
})

interface Life {
  /** Every topic's records, marks left out. */
  readonly records: Record<string, unknown[]>
  readonly states: Record<string, unknown>
  readonly progress: Record<string, unknown>
}

/** Sends every line, lets time pass now and then, and ends; `between` happens before each line. */
async function live(
  options: DriverOptions = {},
  between: (driver: Driver, at: number) => Promise<void> | undefined = () => undefined,
): Promise<Life> {
  const driver = await openDriver(topology, options)
  for (const [at, { stream, id, value, at: atMs }] of lines.entries()) {
    await between(driver, at)
    await driver.send(`flights.${stream}`, value, { key: id, at: atMs })
    if (at % 15 === 14) await driver.advance('20s')
  }
  await driver.end()
  const topics = writtenTopics(composed.plan).map(({ name }) => name)
  const records = topics.map((name) => [name, driver.read(name).filter(({ value }) => isDecided(value))])
  const progress = composed.stages.map(({ id }) => [id, driver.progress(id)])
  const states: Life['states'] = {}
  for (const { id } of composed.stages) states[id] = await driver.state(id)
  await driver.close()
  return { records: Object.fromEntries(records), states, progress: Object.fromEntries(progress) }
}

function isDecided(value: unknown): boolean {
  const { kind } = value as { kind?: string }
  return kind === undefined || isPayload({ kind })
}

async function journalsOf(sent: readonly Line[]): Promise<FetchedRecord[][]> {
  const { wire, hash, stages, topology } = composed
  const run = await openMemoryRun({ wire, topologyHash: hash, controlTopic: 'flights.control', stages })
  for (const [at, { stream, id, value, at: atMs }] of sent.entries()) {
    const key = Buffer.from(id)
    await run.append(`flights.${stream}`, partitionOf(key, 2), [{ key, value }], atMs)
    if (at % 15 === 14) await run.advance(20_000)
  }
  await run.endOf(Object.values(topology.streams))
  return stages.flatMap(({ tasks }) => tasks.map((place) => [...run.log.read(place, 0, everything)]))
}

/** What tasks write, remember and count when each is given its journal. */
async function replayed(
  given: readonly (readonly FetchedRecord[])[],
  how: { readonly commitEvery?: number; readonly restartEvery?: number },
  offsets: 'compared' | 'left out' = 'compared',
) {
  const { wire, hash, plan, stages } = composed
  const fixed = { wire, topologyHash: hash, controlTopic: 'flights.control', ended: true }
  // A stage may read a topic that another reads, too.
  const journals = new Map(given.map((records) => [`${records[0]?.topic}/${records[0]?.partition}`, records]))
  const { written, tasks } = await replayJournals({ ...fixed, stages, journals: journals.values(), ...how })
  const topics = writtenTopics(plan).map((topic) => {
    const places = Array.from({ length: topic.partitions }, (_, partition) => ({
      topic: topic.name,
      partition,
    }))
    const read = places.flatMap((place) => written.read(place, 0, everything))
    return [topic.name, Object.fromEntries(writtenBy(wire, topic, read, offsets))]
  })
  const states = await Promise.all(
    tasks.map(async ({ spec, state }) => {
      const entries = [...(await state())].filter(([key]) => key !== checkpointKey && key !== filledKey)
      return [spec.writer, Object.fromEntries(entries)]
    }),
  )
  const counts = tasks.map(({ spec, progress }) => [
    spec.writer,
    { ...progress.counts, index: progress.index },
  ])
  return { written: Object.fromEntries(topics), states: Object.fromEntries(states), counts }
}
