import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrainingRow } from '../../services/cli/backfill.ts'
import { sha256 } from '../../topologies/canonical.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { type FlightRecord, flightRecords } from '../../topologies/flight-delay/streams.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Ended, startChild, within } from '../end-to-end/command.ts'
import { root } from '../tidy/files.ts'

const flightDelay = join(root, 'topologies', 'flight-delay')
const records = flightRecords(readFileSync(join(flightDelay, 'data', 'flights-2001q1.csv'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'tidemark-backfill-'))
afterAll(() => rmSync(folder, { recursive: true }))

const minuteMs = 60_000
const horizonMs = 9 * 60 * minuteMs
/** As online: what comes within another horizon still corrects the outcome that expired. */
const correctedMs = 2 * horizonMs
const february = Date.UTC(2001, 1, 1)

describe('the training set of January', { timeout: 60_000 }, () => {
  const out = join(folder, 'january.jsonl')
  let ended: Ended
  let rows: readonly TrainingRow[]
  let topology: Topology

  beforeAll(async () => {
    const history = join(folder, 'history')
    execFileSync(process.execPath, ['--no-warnings', join(flightDelay, 'export.ts'), history])
    ended = await backfill(history, out, ['--until', '2001-02-01'])
    rows = readRows(out)
    topology = (await loadTopology(flightDelay)).topology
  }, 60_000)

  it('is, byte by byte, the one that the manifest says the model was trained on', () => {
    expect(ended).toMatchObject({ code: 0, stdout: '' })
    const manifest = JSON.parse(readFileSync(join(flightDelay, 'model', 'manifest.json'), 'utf8'))
    expect(sha256(readFileSync(out))).toBe(manifest.training.set.sha256)
  })

  it('has one row for each departure before --until, in the order of their times', () => {
    const departures = records.filter(({ topic, time }) => topic === 'flights.departures' && time < february)
    expect(rows.map(({ id, time }) => [id, time])).toEqual(
      departures.map(({ value, time }) => [value['flight'], time]),
    )
    expect(ended.stderr).toBe(`${records.length} records in, ${departures.length} rows out\n`)
  })

  it('has every feature with its status, and every segment, in every row', () => {
    const features = Object.keys(topology.features).toSorted()
    const segments = Object.keys(topology.segments).toSorted()
    expect([features.length, segments.length]).toEqual([15, 2])
    const incomplete = rows.filter(
      (row) =>
        !holdsExactly(row.values, features) ||
        !holdsExactly(row.statuses, features) ||
        !holdsExactly(row.segments, segments) ||
        Object.values(row.segments).includes('unknown'),
    )
    expect(incomplete).toEqual([])
  })

  it('has the label of the landing in every row', () => {
    expect(wrongLabels(rows, records)).toEqual([])
    expect(rows.every(({ label }) => typeof label === 'boolean')).toBe(true)
  })
})

describe('a row', { timeout: 60_000 }, () => {
  it('has no label only where no landing came within the horizon, or in time to correct', async () => {
    const some = withTrouble(records.slice(0, 1_500))
    const out = join(folder, 'trouble.jsonl')
    await backfill(historyOf('trouble', some), out)
    const rows = readRows(out)
    expect(wrongLabels(rows, some)).toEqual([])
    const unlabelled = rows.filter(({ label }) => label === null).length
    expect(unlabelled).toBeGreaterThan(100)
    expect(unlabelled).toBeLessThan(rows.length / 2)
    for (const afterMs of [horizonMs, horizonMs + 1, correctedMs])
      expect(rows.filter(({ time, labelTime }) => labelTime === time + afterMs).length).toBeGreaterThan(50)
  })
})

describe('an --out that cannot be written', { timeout: 60_000 }, () => {
  const places = [join(folder, 'missing', 'rows.jsonl'), folder, '/dev/full']
  // Not every system has a device that is always full.
  it.each(places.filter((place) => place !== '/dev/full' || existsSync(place)))(
    'is told in one line that names it, with exit code 2: %s',
    async (out) => {
      const { code, stdout, stderr } = await backfill(historyOf('small', records.slice(0, 20)), out)
      expect(stderr).toMatch(/^TM_USAGE: [^\n]*\n$/)
      expect(stderr).toContain(out)
      expect([code, stdout]).toEqual([2, ''])
    },
  )
})

/** The real process, as a person would start it. */
function backfill(from: string, out: string, more: readonly string[] = []): Promise<Ended> {
  const main = join(root, 'services', 'cli', 'main.ts')
  const args = ['--no-warnings', main, 'backfill', flightDelay, '--from', from, '--out', out, ...more]
  return within(50_000, startChild(process.execPath, args, process.env), 'backfill')
}

function historyOf(name: string, some: readonly FlightRecord[]): string {
  const history = join(folder, name)
  mkdirSync(history, { recursive: true })
  for (const [topic, ofTopic] of Map.groupBy(some, (record) => record.topic)) {
    const lines = ofTopic.map(({ value }) => `${JSON.stringify(value)}\n`)
    writeFileSync(join(history, `${topic}.jsonl`), lines.join(''))
  }
  return history
}

/** Of ten landings five do not come as they did: at and just after each of both limits, and never. */
function withTrouble(some: readonly FlightRecord[]): FlightRecord[] {
  const departed = new Map(some.filter(isDeparture).map(({ value, time }) => [value['flight'], time]))
  const afterMs = [horizonMs, horizonMs + 1, correctedMs, correctedMs + 1]
  return some.flatMap((record) => {
    const number = Number(String(record.value['flight']).slice(1)) % 10
    if (isDeparture(record) || number === 0 || number > afterMs.length + 1) return [record]
    const after = afterMs[number - 1]
    if (after === undefined) return []
    const landed = departed.get(record.value['flight'])! + after
    return [{ ...record, time: landed, value: { ...record.value, landed } }]
  })
}

/** Each row against the landing of its flight, by the definition: late is more than a quarter of an hour. */
function wrongLabels(rows: readonly TrainingRow[], some: readonly FlightRecord[]): object[] {
  const landings = new Map(
    some
      .filter((record) => !isDeparture(record))
      .map(({ value, time }) => [value['flight'], { ...value, time }]),
  )
  return rows.flatMap(({ id, time, label, labelTime }) => {
    const landing = landings.get(id) as { readonly time: number; readonly delay: number } | undefined
    const inTime = landing !== undefined && landing.time - time <= correctedMs
    const expected = inTime
      ? { label: landing.delay > 15, labelTime: landing.time }
      : { label: null, labelTime: null }
    const right = label === expected.label && labelTime === expected.labelTime
    return right ? [] : [{ id, time, label, labelTime, expected }]
  })
}

function isDeparture({ topic }: FlightRecord): boolean {
  return topic === 'flights.departures'
}

function holdsExactly(record: object, names: readonly string[]): boolean {
  return Object.keys(record).toSorted().join() === names.join()
}

function readRows(file: string): TrainingRow[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as TrainingRow)
}
