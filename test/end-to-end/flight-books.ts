import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Summary } from '../../services/cli/summary.ts'
import { flightRecords } from '../../topologies/flight-delay/streams.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Ended, repository } from './command.ts'
import { judge } from './gate.ts'
import { payload } from './proof.ts'
import type { RunTopics } from './run-topics.ts'

export const flightDelay = join(repository, 'topologies', 'flight-delay')

/** One run of `dev --once --json`: how it ended, what it said last, and the topics that it left. */
export interface FlightRun {
  readonly ended: Ended
  readonly summary: Summary
  readonly topics: RunTopics
}

/** What the summary of any run over the flights must say, counted again from the file and from the topics. */
export function proveSummary(run: () => FlightRun): void {
  proveForm(run)
  proveCounts(run)
}

function proveForm(run: () => FlightRun): void {
  it('ends well, and its last line is one JSON object with exactly the promised fields', () => {
    const { ended, summary } = run()
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code: 0, signal: null })
    expect(shapeOf(summary)).toEqual(promised)
    expect(summary.seconds).toBeGreaterThan(0)
    expect(summary.p99Ms.eventToPrediction).toBeGreaterThan(0)
  })

  it('names the topology and the model that were served', async () => {
    const { summary } = run()
    const { topology, hash } = await loadTopology(flightDelay)
    const model = topology.models.find(({ role }) => role === 'champion')!
    const bytes = readFileSync(join(flightDelay, model.file))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(summary).toMatchObject({
      topology: 'flight-delay',
      hash,
      model: { name: 'late-arrival', version: 1, sha256 },
    })
  })
}

function proveCounts(run: () => FlightRun): void {
  it('counts the flights of the file, and the trouble that was mixed into them', () => {
    const { summary, topics } = run()
    const { flights, beyondHorizon, repeated, bad, heldBack } = countFile()
    const late = judge('flights.landings', topics.sources.get('flights.landings')!)
    expect(summary).toMatchObject({
      events: flights + repeated.departures + bad.departures,
      labels: flights + repeated.landings + bad.landings,
      features: flights,
      predictions: flights,
      outcomes: { labelled: flights - beyondHorizon, expired: beyondHorizon, pending: 0 },
      late: late.filter(({ fate }) => fate === 'late').length,
      // Two services read the landings, and each sets aside what it cannot use.
      deadLetters: bad.departures + 2 * bad.landings,
      duplicates: repeated.departures + 2 * repeated.landings,
    })
    expect(summary.late).toBeGreaterThan(0)
    expect(summary.late).toBeLessThanOrEqual(heldBack.landings)
    for (const count of [flights, repeated.departures, repeated.landings, bad.departures, bad.landings])
      expect(count).toBeGreaterThan(0)
  })

  it('counts as many records as the topics hold', () => {
    const { summary, topics } = run()
    const count = (kind: Parameters<typeof payload>[1]) => payload<object>(topics, kind).length
    expect(summary).toMatchObject({
      events: topics.sources.get('flights.departures')!.length,
      labels: topics.sources.get('flights.landings')!.length,
      features: count('features'),
      predictions: count('predictions'),
      late: count('late'),
      deadLetters: count('dead-letters'),
      reports: {
        drift: count('drift'),
        coverage: count('coverage'),
        performance: count('performance'),
        alerts: count('alerts'),
      },
    })
    for (const reports of Object.values(summary.reports)) expect(reports).toBeGreaterThan(0)
  })

  it('balances the books: every equation holds, and says so truly', () => {
    const { balanced, equations } = run().summary.books
    expect(equations.filter(({ left, right, holds }) => left !== right || !holds)).toEqual([])
    expect(equations.length).toBeGreaterThanOrEqual(8)
    expect(balanced).toBe(true)
  })

  it('finds an AUC within its interval, above that of the model without features over time', () => {
    const { realised, lo, hi, simple, training } = run().summary.auc
    expect(lo).toBeLessThan(realised!)
    expect(hi).toBeGreaterThan(realised!)
    expect(simple).toBeLessThan(realised!)
    expect(training).toBeGreaterThan(0.5)
  })
}

/** Reads the last line of standard output; a run that failed says why. */
export function summaryOf({ code, stdout, stderr }: Ended): Summary {
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) throw new Error(`dev ended with ${code} and said: ${stderr.slice(-3_000)}`)
  return JSON.parse(last) as Summary
}

/** The fields of the issue, in words; `orderSkew` is one more. */
const promised = {
  topology: 'string',
  hash: 'string',
  events: 'number',
  labels: 'number',
  features: 'number',
  predictions: 'number',
  outcomes: { labelled: 'number', expired: 'number', pending: 'number' },
  reports: { drift: 'number', coverage: 'number', performance: 'number', alerts: 'number' },
  late: 'number',
  deadLetters: 'number',
  duplicates: 'number',
  model: { name: 'string', version: 'number', sha256: 'string' },
  auc: { realised: 'number', lo: 'number', hi: 'number', simple: 'number', training: 'number' },
  p99Ms: { eventToPrediction: 'number' },
  orderSkew: { entries: 'number', behind: 'number', maxMs: 'number' },
  books: { balanced: 'boolean', equations: 'array' },
  seconds: 'number',
}

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return 'array'
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]))
}

type ByStream = { readonly departures: number; readonly landings: number }

/** The demo's rules, applied to the file once more: which records come twice, late or broken, and which flights expire. */
function countFile() {
  const csv = readFileSync(join(flightDelay, 'data', 'flights-2001q1.csv'), 'utf8')
  const rows = csv.split('\n').filter((row) => /^2001-0[23]-/.test(row))
  const horizonMinutes = 9 * 60
  const minutesOf = (row: string) => {
    const [, delay, distance] = row.split(',').map(Number)
    return Math.round(40 + distance! / 7.5) + delay!
  }
  const departsLater = ({ value }: { value: Readonly<Record<string, unknown>> }) =>
    String(value['flight']) > `F${String(20_000 - rows.length).padStart(5, '0')}`
  const backlog = flightRecords(csv).filter(departsLater).slice(0, -300)
  const heldBack = (index: number) => index % 4_001 === 1_000
  const repeated = backlog.filter((_, index) => index % 3_989 === 500 && !heldBack(index))
  const troubles = backlog.filter((_, index) => index % 5_003 === 2_000 && !heldBack(index)).length
  return {
    flights: rows.length,
    beyondHorizon: rows.filter((row) => minutesOf(row) > horizonMinutes).length,
    repeated: byStream(repeated),
    heldBack: byStream(backlog.filter((_, index) => heldBack(index))),
    bad: { departures: 5 * troubles, landings: 2 * troubles },
  }
}

function byStream(records: readonly { readonly topic: string }[]): ByStream {
  const landings = records.filter(({ topic }) => topic === 'flights.landings').length
  return { departures: records.length - landings, landings }
}
