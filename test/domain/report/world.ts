import type { FeatureStatus } from '../../../services/domain/report/cell.ts'
import type { OutcomeInput, PredictionInput } from '../../../services/domain/report/pane.ts'
import type { ReferenceProfile, ReferenceRow } from '../../../services/domain/report/profile.ts'
import { buildProfile, cellOf, scoreFeature } from '../../../services/domain/report/profile.ts'
import type { MonitorDefinition } from '../../../services/domain/report/report.ts'
import { gaussian, seeded } from './random.ts'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs
export const weekMs = 7 * dayMs

/** Monday 5 February 2001, 00:00 UTC. */
export const monday = 981_331_200_000

export type Change = 'none' | 'shift' | 'concept' | 'nulls'

const drawRow = (random: () => number, change: Change): ReferenceRow => {
  const skill = gaussian(random) + (change === 'shift' ? 1 : 0)
  const hour = Math.floor(random() * 24)
  const carrier = 'abcde'[Math.floor(random() ** 2 * 5)]!
  const truth = 1 / (1 + Math.exp(1 - 1.5 * skill * (change === 'concept' ? -0.2 : 1)))
  const missing = change === 'nulls' && random() < 0.5
  const statuses: Record<string, FeatureStatus> = {
    skill: missing ? 'missing' : 'value',
    hour: 'value',
    carrier: 'value',
  }
  return {
    values: { skill: missing ? null : skill, hour, carrier },
    statuses,
    segments: { hub: random() < 0.3 ? 'ATL' : 'other' },
    score: 1 / (1 + Math.exp(1 - 1.5 * skill - 0.1 * gaussian(random))),
    label: random() < truth,
  }
}

export const drawRows = (seed: number, n: number, change: Change = 'none'): ReferenceRow[] => {
  const random = seeded(seed)
  return Array.from({ length: n }, () => drawRow(random, change))
}

export const profileOf = (rows: readonly ReferenceRow[]): ReferenceProfile =>
  buildProfile(rows, { features: { skill: 'numeric', hour: 'numeric', carrier: 'categorical' } })

export const predictionOf = (profile: ReferenceProfile, row: ReferenceRow, time: number): PredictionInput => {
  const cells: Record<string, number> = { [scoreFeature]: cellOf(profile, scoreFeature, row.score)! }
  for (const [name, value] of Object.entries(row.values))
    cells[name] = cellOf(profile, name, value, row.statuses[name])!
  return { time, model: 'late', modelVersion: 1, cells, segments: row.segments }
}

export const outcomeOf = (profile: ReferenceProfile, row: ReferenceRow, time: number): OutcomeInput => ({
  time,
  model: 'late',
  modelVersion: 1,
  state: row.label === null ? 'expired' : 'labelled',
  label: row.label,
  previousLabel: null,
  scoreCell: cellOf(profile, scoreFeature, row.score)!,
  segments: row.segments,
})

export const monitorOf = (profile: ReferenceProfile): MonitorDefinition => ({
  topology: 'flights',
  owner: 'ops@example.org',
  paneMs: hourMs,
  windowMs: weekMs,
  retainMs: 2 * weekMs,
  models: [{ name: 'late', version: 1, profile, profileHash: 'c0ffee' }],
  scored: 'departures',
  labels: 'landings',
  critical: ['skill'],
  coverageAtLeast: 0.95,
  minRows: 100,
  drift: { effectBits: 0.02, alpha: 0.05, rule: 'e-bh' },
  relativeDrop: 0.05,
  lossForMs: 0,
  playbooks: { coverage: 'fix_pipeline', harm: 'retrain', drift: 'none' },
  labelCompleteness: 0.8,
})
