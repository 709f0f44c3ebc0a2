import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Coverage, Drift, Performance, Prediction } from '../../schemas/types.ts'
import { openPlace, type Place } from './command.ts'
import { consoleConsumer } from './console-consumer.ts'
import { type FlightRun, flightDelay, proveSummary, summaryOf } from './flight-books.ts'
import { payload, proveTopics } from './proof.ts'
import { firstRunMs, runPython } from './python.ts'
import { readRun } from './run-topics.ts'

const runMs = 240_000

let place: Place
let run: FlightRun

beforeAll(async () => {
  place = openPlace()
  const ended = await place.run(['dev', '--once', '--json', '--reset'], runMs)
  const summary = summaryOf(ended)
  run = { ended, summary, topics: await readRun(inject('brokers'), inject('registry'), flightDelay) }
}, runMs + 30_000)

afterAll(() => place[Symbol.asyncDispose]())

describe('one run over the flights', () => {
  proveSummary(() => run)
  proveTopics(() => run.topics)
})

describe('the topics of the run, read by others', () => {
  it('tail prints as many predictions as asked for, one JSON object a line', async () => {
    const { code, stdout } = await place.run([
      'tail',
      'flight-delay.predictions',
      ...['--limit', '5', '--json'],
    ])
    const lines = stdout.trimEnd().split('\n')
    expect({ code, lines: lines.length }).toEqual({ code: 0, lines: 5 })
    for (const line of lines) {
      const { topic, key, value } = JSON.parse(line) as { topic: string; key: string; value: Prediction }
      expect(topic).toBe('flight-delay.predictions')
      expect(value.id).toBe(key)
      expect(value.score).toBeGreaterThan(0)
      expect(value.score).toBeLessThan(1)
    }
  })

  it("Apache Kafka's console consumer reads every prediction, and no record more", async () => {
    const keys = await consoleConsumer(inject('brokers'), 'flight-delay.predictions', 5_000)
    const predictions = payload<Prediction>(run.topics, 'predictions')
    expect(keys).toHaveLength(run.summary.predictions)
    expect(keys.toSorted()).toEqual(predictions.map(({ value }) => value.id).toSorted())
  }, 180_000)

  it(
    'SciPy and scikit-learn find the same drift, coverage and AUC in what tail prints',
    async () => {
      for (const topic of ['predictions', 'outcomes']) {
        const { stdout } = await place.run(['tail', `flight-delay.${topic}`, '--json'])
        writeFileSync(join(place.folder, `${topic}.jsonl`), stdout)
      }
      const profile = join(flightDelay, 'model', 'profile.json')
      const found = JSON.parse(await runPython('recompute.py', [place.folder, profile])) as Recomputed
      compareDrift(found)
      compareCoverage(found)
      for (const name of ['realised', 'lo', 'hi'] as const)
        expect(apart(run.summary.auc[name]!, found.auc[name])).toBeLessThan(1e-9)
      compareBinnedAuc(found.auc.realised)
    },
    firstRunMs + 120_000,
  )
})

interface Recomputed {
  readonly drift: Readonly<Record<string, Readonly<Record<DriftNumber | 'n' | 'nReference', number>> | null>>
  readonly coverage: Readonly<Record<string, Readonly<Record<string, ShareFound>>>>
  readonly auc: Readonly<Record<'realised' | 'lo' | 'hi', number>>
}

interface ShareFound {
  readonly k: number
  readonly n: number
  readonly lo: number
  readonly hi: number
}

type DriftNumber = 'value' | 'nullMean' | 'corrected' | 'pValue'

/** Every drift record that gives a number: about 390 of them. */
function compareDrift(found: Recomputed): void {
  const reports = lastRevisions<Drift>('drift').filter(({ value }) => value !== null)
  for (const report of reports) {
    const expected = found.drift[keyOf(report)]!
    expect(report.n).toBe(expected.n)
    expect(report.nReference).toBe(expected.nReference)
    for (const name of ['value', 'nullMean', 'corrected', 'pValue'] as const)
      expect(apart(report[name]!, expected[name]), `${name} of ${report.reportId}`).toBeLessThan(1e-9)
  }
  expect(reports.length).toBeGreaterThan(300)
}

function compareCoverage(found: Recomputed): void {
  const reports = lastRevisions<Coverage>('coverage').filter(({ feature }) => feature !== '')
  for (const report of reports) {
    const expected = found.coverage[keyOf(report)]
    if (expected === undefined) {
      expect(report.n).toBe(0)
      continue
    }
    for (const { of, k, n, lo, hi } of report.shares) {
      const share = expected[of]!
      expect({ k, n }, `${of} of ${report.reportId}`).toEqual({ k: share.k, n: share.n })
      expect(Math.max(apart(lo, share.lo), apart(hi, share.hi)), report.reportId).toBeLessThan(1e-9)
    }
  }
  expect(reports.length).toBeGreaterThan(1_000)
}

/** The weekly AUCs are of binned scores, with a bound on what binning cost; their mean cannot be far from that of the whole. */
function compareBinnedAuc(realised: number): void {
  const weekly = lastRevisions<Performance>('performance').filter(
    ({ metric, segment, status }) => metric === 'auc' && segment === '' && status === 'ok',
  )
  const rows = weekly.reduce((sum, { n }) => sum + n, 0)
  const mean = weekly.reduce((sum, { value, n }) => sum + value! * n, 0) / rows
  expect(weekly.length).toBeGreaterThan(5)
  expect(apart(mean, realised)).toBeLessThan(0.02)
}

interface Reported {
  readonly reportId: string
  readonly segment: string
  readonly revision: number
  readonly window: { readonly start: number }
}

/** What holds in the end: of every report its last revision. */
function lastRevisions<T extends Reported>(kind: 'drift' | 'coverage' | 'performance'): T[] {
  const last = new Map<string, T>()
  for (const { value } of payload<T>(run.topics, kind)) {
    last.set(value.reportId.slice(0, value.reportId.lastIndexOf('/')), value)
  }
  return [...last.values()]
}

function keyOf({ window, segment, feature }: Drift | Coverage): string {
  return `${window.start}|${segment}|${feature}`
}

function apart(left: number, right: number): number {
  return Math.abs(left - right)
}
