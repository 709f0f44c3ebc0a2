import { binnedAuc } from './auc.ts'
import type { FeatureFrame } from './cell.ts'
import { binCount, guardIndex } from './cell.ts'
import type { Counts } from './cell-distance.ts'
import { total } from './cell-distance.ts'
import type { ReferenceProfile } from './profile.ts'
import { wholeStream } from './profile.ts'
import type { Envelope, MonitoredModel, Occasion } from './report.ts'
import { envelope } from './report.ts'

export type PerformanceBasis = 'realised' | 'provisional'

export interface PerformanceReport extends Envelope {
  readonly metric: 'auc' | 'brier'
  readonly basis: PerformanceBasis
  readonly value: number | null
  readonly lo: number | null
  readonly hi: number | null
  readonly se: number | null
  readonly errorBound: number | null
  readonly baseline: number | null
  readonly tolerance: number | null
  readonly positives: number
  readonly labelCompleteness: number | null
  readonly expired: number
  readonly conceptResidual: number | null
  readonly conceptPValue: number | null
}

/** Matured outcomes of one segment: labels and positives per score cell, and what became of the rest. */
export interface LabelCounts {
  /** Rows with a known class per score cell. */
  readonly labelled: Counts
  readonly positives: Counts
  /** Predictions whose horizon has passed without a label. */
  readonly expired: number
  /** Predictions whose label came within the horizon. */
  readonly arrived: number
  /** All predictions of the window. */
  readonly predicted: number
}

/**
 * AUC and Brier score of one model in one segment from its score cells. `realised` when the labels are as complete
 * as the topology asks, else `provisional`. Too few rows or only one class: `insufficient_data`, and no number.
 */
export const performanceReports = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  counts: LabelCounts,
): PerformanceReport[] => {
  const cells = orderedCells(model.profile.score, counts)
  const metrics = {
    auc: aucPart(occasion, model, segment, cells),
    brier: brierPart(model.profile, segment, cells),
  }
  return (['auc', 'brier'] as const).map((metric) => {
    const figures = metrics[metric]
    const facts = factsOf(occasion, counts, figures !== null)
    const { status, n } = facts
    return {
      ...envelope(occasion, { kind: 'performance', subject: metric, segment, n, status, model }),
      metric,
      ...facts.shared,
      ...(status === 'insufficient_data' || figures === null ? silence : figures),
    }
  })
}

/** Whether every prediction has its outcome, so that only a correction can still change anything. */
export const isSettled = ({ arrived, expired, predicted }: LabelCounts): boolean =>
  arrived + expired >= predicted

/** With fewer rows of a class than this, the normal interval of an AUC is not to be believed. */
const leastOfClass = 10

const silence = {
  value: null,
  lo: null,
  hi: null,
  se: null,
  errorBound: null,
  baseline: null,
  tolerance: null,
}

const factsOf = (occasion: Occasion, counts: LabelCounts, computable: boolean) => {
  const { minRows, labelCompleteness } = occasion.definition
  const n = total(counts.labelled)
  const completeness = counts.predicted === 0 ? null : Math.min(1, n / counts.predicted)
  const basis: PerformanceBasis = (completeness ?? 0) >= labelCompleteness ? 'realised' : 'provisional'
  const mature = basis === 'realised' ? ('ok' as const) : ('provisional' as const)
  return {
    n,
    status: n < minRows || !computable ? ('insufficient_data' as const) : mature,
    shared: {
      final: isSettled(counts),
      basis,
      positives: total(counts.positives),
      labelCompleteness: completeness,
      expired: counts.expired,
      conceptResidual: null,
      conceptPValue: null,
    },
  }
}

interface OrderedCells {
  readonly positives: number[]
  readonly negatives: number[]
}

/** Score cells from the lowest score to the highest: below the range, the bins, above the range. */
const orderedCells = (frame: FeatureFrame, counts: LabelCounts): OrderedCells => {
  const bins = Array.from({ length: binCount(frame) }, (_, k) => k)
  const order = [guardIndex(frame, 'below'), ...bins, guardIndex(frame, 'above')]
  const positives = order.map((cell) => counts.positives[cell] ?? 0)
  return { positives, negatives: order.map((cell, k) => (counts.labelled[cell] ?? 0) - positives[k]!) }
}

const aucPart = (occasion: Occasion, model: MonitoredModel, segment: string, cells: OrderedCells) => {
  const auc = binnedAuc(cells.positives, cells.negatives)
  if (auc === null || Math.min(total(cells.positives), total(cells.negatives)) < leastOfClass) return null
  const baseline = baselineAuc(model.profile, segment)
  return {
    value: auc.value,
    lo: auc.lo,
    hi: auc.hi,
    se: auc.se,
    errorBound: auc.binningError,
    baseline,
    tolerance: baseline === null ? null : baseline * occasion.definition.relativeDrop,
  }
}

const baselineAuc = (profile: ReferenceProfile, segment: string): number | null => {
  if (segment === wholeStream) return profile.auc?.value ?? null
  const cells = referenceCells(profile, segment)
  return cells === null ? null : (binnedAuc(cells.positives, cells.negatives)?.value ?? null)
}

const referenceCells = (profile: ReferenceProfile, segment: string): OrderedCells | null => {
  const labelled = Object.hasOwn(profile.labelled, segment) ? profile.labelled[segment] : undefined
  const positives = Object.hasOwn(profile.positives, segment) ? profile.positives[segment] : undefined
  if (labelled === undefined) return null
  return orderedCells(profile.score, {
    labelled,
    positives: positives ?? [],
    expired: 0,
    arrived: 0,
    predicted: 0,
  })
}

/**
 * Σ over cells of n s² − 2 s P + P, over n, with the cell's mean reference score s in place of each row's own:
 * what it misses is the spread of scores inside a cell, bounded by twice the widest cell's half width or so.
 */
const brierPart = (profile: ReferenceProfile, segment: string, cells: OrderedCells) => {
  const value = brierOfCells(profile, cells)
  if (value === null) return null
  const reference = referenceCells(profile, segment)
  const baseline = reference === null ? null : brierOfCells(profile, reference)
  return { ...silence, value, baseline }
}

const brierOfCells = (profile: ReferenceProfile, { positives, negatives }: OrderedCells): number | null => {
  const edges = profile.score.kind === 'numeric' ? profile.score.edges : []
  const scores = [edges[0] ?? 0, ...profile.scoreMeans, edges.at(-1) ?? 1]
  let loss = 0
  let n = 0
  for (let k = 0; k < positives.length; k++) {
    loss += positives[k]! * (1 - scores[k]!) ** 2 + negatives[k]! * scores[k]! ** 2
    n += positives[k]! + negatives[k]!
  }
  return n === 0 ? null : loss / n
}
