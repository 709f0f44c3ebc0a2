import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type * as schemas from '../../../schemas/types.ts'
import { type Judgement, judge } from '../../../services/domain/report/alert.ts'
import {
  type CoverageReport,
  coverageReports,
  sourceCoverage,
} from '../../../services/domain/report/coverage.ts'
import { type DriftReport, driftReports } from '../../../services/domain/report/drift.ts'
import type {
  DeadLetterInput,
  LateInput,
  OutcomeInput,
  PredictionInput,
} from '../../../services/domain/report/pane.ts'
import { type PerformanceReport, performanceReports } from '../../../services/domain/report/performance.ts'
import { scoreFeature } from '../../../services/domain/report/profile.ts'
import type { Tally } from '../../../services/domain/report/tally.ts'
import { drawRows, monday, monitorOf, profileOf, weekMs } from './world.ts'

const rows = drawRows(1, 3000)
const profile = profileOf(rows)
const definition = monitorOf(profile)
const occasion = { definition, start: monday, end: monday + weekMs, revision: 2, whole: true }
const model = definition.models[0]!

const counts = new Map(
  Object.entries(profile.counts).map(([feature, bySegment]) => [feature, bySegment['']!]),
)
const labels = {
  labelled: profile.labelled['']!,
  positives: profile.labelled['']!.map((n, cell) => n - profile.positives['']![cell]!),
  expired: 1,
  arrived: 3000,
  predicted: 3001,
}
const reports = {
  drift: driftReports(occasion, model, '', counts),
  coverage: coverageReports(occasion, model, '', counts),
  performance: performanceReports(occasion, model, '', labels),
}
const alert = (judge(occasion, model, reports, () => undefined) as Judgement[]).flatMap((j) => j.alert ?? [])

/** What the compiler checks: a report is a record of its schema without what the runtime adds. */
const drift: readonly schemas.Draft<schemas.Drift>[] = reports.drift satisfies DriftReport[]
const coverage: readonly schemas.Draft<schemas.Coverage>[] = reports.coverage satisfies CoverageReport[]
const performance: readonly schemas.Draft<schemas.Performance>[] =
  reports.performance satisfies PerformanceReport[]
const alerts: readonly schemas.Draft<schemas.Alert>[] = alert

/** The other way round: what the topics hold is what the operators take. */
const inputs: readonly [
  (record: schemas.Prediction) => PredictionInput,
  (record: schemas.Outcome) => OutcomeInput,
  (record: schemas.LateRecord) => LateInput,
  (record: schemas.DeadLetter) => DeadLetterInput,
  (counts: schemas.Pane['counts']) => readonly Tally[],
] = [(r) => r, (r) => r, (r) => r, (r) => r, (r) => r]

test('five kinds of record are read as they are', () => expect(inputs).toHaveLength(5))

const fieldsOf = (schema: string): string[] => {
  const { fields } = JSON.parse(
    readFileSync(new URL(`../../../schemas/${schema}.avsc`, import.meta.url), 'utf8'),
  )
  const added = ['origin', 'watermark', 'runtime']
  return fields.map((field: { name: string }) => field.name).filter((name: string) => !added.includes(name))
}

test.each([
  ['drift', drift],
  [
    'coverage',
    [
      ...coverage,
      ...sourceCoverage(occasion, { late: [], deadLetters: [], used: new Map([['a', 1]]), settled: true }),
    ],
  ],
  ['performance', performance],
  ['alert', alerts],
])('a report has the fields of %s.avsc, all and no others', (schema, records) => {
  expect(records.length).toBeGreaterThan(0)
  for (const record of records) expect(Object.keys(record).sort()).toEqual(fieldsOf(schema).sort())
})

describe('a report id', () => {
  test('is spelt from what the report is about', () => {
    expect(drift.at(-1)?.reportId).toBe(
      `flights/drift/late%401/${scoreFeature}//c0ffee/${monday}/${monday + weekMs}/r2`,
    )
  })

  test('keeps apart what a slash in a name would join', () => {
    const of = (segment: string) => driftReports(occasion, model, segment, counts)[0]!.reportId
    expect(of('a/b')).not.toBe(of('a%2Fb'))
  })
})

describe('performance', () => {
  test('of labels turned round is the mirror of the reference', () => {
    const [auc] = performance
    expect(auc!.value).toBeCloseTo(1 - auc!.baseline!, 2)
    expect(alerts.map(({ alertKey }) => alertKey)).toEqual(['late@1/performance/auc'])
  })

  test('counts scores below and above the range of the reference at their ends', () => {
    const bins = profile.scoreMeans.length
    const cells = new Array<number>(bins + 10).fill(0)
    cells[bins] = 150 // below
    cells[bins + 1] = 150 // above
    const positives = cells.map((n, cell) => (cell === bins + 1 ? n : 0))
    const extremes = { labelled: cells, positives, expired: 0, arrived: 300, predicted: 300 }
    expect(performanceReports(occasion, model, '', extremes)[0]).toMatchObject({
      value: 1,
      lo: null,
      hi: null,
      n: 300,
    })
  })

  test('of nine positives says nothing', () => {
    const few = { ...labels, positives: labels.labelled.map((n, cell) => (cell < 9 && n > 0 ? 1 : 0)) }
    expect(performanceReports(occasion, model, '', few)[0]).toMatchObject({
      value: null,
      status: 'insufficient_data',
    })
  })
})
