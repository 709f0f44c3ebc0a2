import type { FeatureFrame } from './cell.ts'
import { binCount, driftCompared, guardCells } from './cell.ts'
import type { Counts } from './cell-distance.ts'
import { jsdBits, jsdNullMean, jsdParts, total } from './cell-distance.ts'
import { pooledChiSquare } from './chi-square.ts'
import { eValue, falseDiscoveryRules } from './false-discovery.ts'
import { frameOf, referenceCounts, scoreFeature } from './profile.ts'
import type { Envelope, MonitoredModel, Occasion } from './report.ts'
import { envelope } from './report.ts'

export interface DriftCell {
  /** The first cell of the group, as the profile numbers them. */
  readonly cell: number
  readonly reference: number
  readonly current: number
  readonly contribution: number
}

export interface DriftReport extends Envelope {
  readonly feature: string
  readonly method: 'jsd'
  readonly unit: 'jsd_bits'
  readonly value: number | null
  readonly nullMean: number | null
  readonly corrected: number | null
  readonly pValue: number | null
  readonly eValue: number | null
  readonly fdrMethod: string | null
  readonly effectThreshold: number
  readonly significant: boolean
  readonly material: boolean
  readonly nReference: number
  readonly topCells: readonly DriftCell[]
  readonly importance: number | null
}

/** A report flags drift only when it may judge, and the change is too large to be harmless and too unlikely to be chance. */
export const flagsDrift = (report: DriftReport): boolean =>
  report.status === 'ok' && report.significant && report.material

/**
 * The drift of all features of one model in one segment, the score included. Effect and significance are
 * separate questions: the Jensen–Shannon divergence in bits less its null mean, against the threshold; and the
 * 2 × K chi-square, corrected over the features of this segment and window. Fewer rows than `minRows`, here or
 * in the reference: `insufficient_data`, and no number. A window that is not whole is `invalid`: half a week
 * differs from whole weeks without anything having moved.
 *
 * The test takes rows as independent. Those of a long trailing window are not, and then p is too small; it is the
 * effect threshold that keeps such a feature quiet, and why one alone never flags.
 */
export const driftReports = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  current: ReadonlyMap<string, Counts>,
): DriftReport[] => {
  const features = [...Object.keys(model.profile.features).sort(), scoreFeature]
  const measured = features.map((feature) =>
    measure(occasion, model, segment, feature, current.get(feature) ?? []),
  )
  const tested = measured.filter((report) => report.pValue !== null)
  const { rule, alpha } = occasion.definition.drift
  const discovered = falseDiscoveryRules[rule](
    tested.map((report) => report.pValue ?? 1),
    alpha,
  )
  const significant = new Set(tested.filter((_, i) => discovered[i]).map((report) => report.feature))
  return measured.map((report) => ({ ...report, significant: significant.has(report.feature) }))
}

const measure = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  feature: string,
  counts: Counts,
): DriftReport => {
  const frame = frameOf(model.profile, feature) as FeatureFrame
  const grouped = comparedCells(frame, referenceCounts(model.profile, feature, segment) ?? [], counts)
  const n = total(grouped.current)
  const nReference = total(grouped.reference)
  const { minRows, drift } = occasion.definition
  const enough = n >= minRows && nReference >= minRows
  const judged = occasion.whole ? 'ok' : 'invalid'
  const status = enough ? judged : 'insufficient_data'
  return {
    ...envelope(occasion, { kind: 'drift', subject: feature, segment, n, status, model }),
    feature,
    method: 'jsd',
    unit: 'jsd_bits',
    ...(enough ? distances(grouped, drift.effectBits) : silence),
    fdrMethod: enough ? drift.rule : null,
    effectThreshold: drift.effectBits,
    significant: false,
    nReference,
    importance: null,
  }
}

const silence = {
  value: null,
  nullMean: null,
  corrected: null,
  pValue: null,
  eValue: null,
  material: false,
  topCells: [],
}

interface Grouped {
  /** The first cell of each group. */
  readonly cells: readonly number[]
  readonly reference: number[]
  readonly current: number[]
}

const distances = (grouped: Grouped, effectBits: number) => {
  const { reference, current } = grouped
  const value = jsdBits(reference, current)
  const nullMean = jsdNullMean(reference.length, total(reference), total(current))
  const corrected = Math.max(0, value - nullMean)
  const p = pooledChiSquare(reference, current)?.p ?? 1
  return {
    value,
    nullMean,
    corrected,
    pValue: p,
    eValue: eValue(p),
    material: corrected >= effectBits,
    topCells: topCells(grouped),
  }
}

const topCells = ({ cells, reference, current }: Grouped): DriftCell[] => {
  const n = total(reference)
  const m = total(current)
  const parts = jsdParts(reference, current)
  return cells
    .map((cell, k) => ({
      cell,
      reference: reference[k]! / n,
      current: current[k]! / m,
      contribution: parts[k]!,
    }))
    .sort((a, b) => b.contribution - a.contribution || a.cell - b.cell)
    .slice(0, 3)
}

/** More bins than this are joined with their neighbours: 200 score cells say nothing about 300 rows. */
const mostBins = 20

/**
 * The cells that the distance looks at: the bins (joined into at most `mostBins` groups of nearly equal reference
 * share when the axis is ordered) and the guard cells of `driftCompared`. Cells empty on both sides are left out.
 */
export const comparedCells = (frame: FeatureFrame, reference: Counts, current: Counts): Grouped => {
  const bins = binCount(frame)
  const groups = frame.kind === 'numeric' && bins > mostBins ? joinedBins(reference, bins) : singles(bins)
  const guards = guardCells.flatMap((guard, k) => (driftCompared[guard] ? [[bins + k, bins + k + 1]] : []))
  const grouped: Grouped = { cells: [], reference: [], current: [] }
  const cells: number[] = []
  for (const [from, to] of [...groups, ...guards] as [number, number][]) {
    const inReference = sumOf(reference, from, to)
    const inCurrent = sumOf(current, from, to)
    if (inReference + inCurrent === 0) continue
    cells.push(from)
    grouped.reference.push(inReference)
    grouped.current.push(inCurrent)
  }
  return { ...grouped, cells }
}

const singles = (bins: number): [number, number][] => Array.from({ length: bins }, (_, k) => [k, k + 1])

const joinedBins = (reference: Counts, bins: number): [number, number][] => {
  const target = sumOf(reference, 0, bins) / mostBins
  const groups: [number, number][] = []
  let from = 0
  let passed = 0
  for (let k = 0; k < bins; k++) {
    passed += reference[k] ?? 0
    if (passed < target * (groups.length + 1) * (1 - 1e-9) && k < bins - 1) continue
    groups.push([from, k + 1])
    from = k + 1
  }
  return groups
}

const sumOf = (counts: Counts, from: number, to: number): number => {
  let sum = 0
  for (let k = from; k < to; k++) sum += counts[k] ?? 0
  return sum
}
