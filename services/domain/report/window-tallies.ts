import type { Counts } from './cell-distance.ts'
import { total } from './cell-distance.ts'
import { outcomeStates, positiveFeature, stateFeature } from './pane.ts'
import type { LabelCounts } from './performance.ts'
import type { ReferenceProfile } from './profile.ts'
import { scoreFeature } from './profile.ts'
import type { Tally } from './tally.ts'

/** The sums of one window, by the kind of pane they came in. */
export interface WindowTallies {
  readonly prediction: readonly Tally[]
  readonly outcome: readonly Tally[]
  readonly late: readonly Tally[]
  readonly deadLetter: readonly Tally[]
}

/** The counts of a segment by feature. */
export type SegmentCounts = ReadonlyMap<string, Counts>

/**
 * The segments to report for a model: those of the reference and those seen, in order. A model without one
 * prediction in the window has none.
 */
export const predictionSegments = (
  tallies: WindowTallies,
  model: string,
  profile: ReferenceProfile,
): [segment: string, counts: SegmentCounts][] => {
  const seen = new Map<string, Map<string, Counts>>()
  for (const tally of tallies.prediction) {
    if (tally.model !== model) continue
    const segment = seen.get(tally.segment) ?? new Map<string, Counts>()
    seen.set(tally.segment, segment.set(tally.feature, tally.cells))
  }
  if (seen.size === 0) return []
  const expected = Object.keys(profile.counts[scoreFeature] ?? {})
  const names = [...new Set([...expected, ...seen.keys()])].sort()
  return names.map((name) => [name, seen.get(name) ?? new Map<string, Counts>()])
}

/** The segments in which a model had outcomes. */
export const labelSegments = (tallies: WindowTallies, model: string): string[] => {
  const ofModel = tallies.outcome.filter((tally) => tally.model === model && tally.feature === stateFeature)
  return [...new Set(ofModel.map((tally) => tally.segment))].sort()
}

/**
 * The labels of a model in a segment. Predictions whose outcome is still open count too: early labels alone would
 * make a complete-looking, biased cohort.
 */
export const labelCounts = (tallies: WindowTallies, model: string, segment: string): LabelCounts => {
  const cells = (panes: readonly Tally[], feature: string): Counts =>
    panes.find((tally) => tally.model === model && tally.segment === segment && tally.feature === feature)
      ?.cells ?? []
  const states = cells(tallies.outcome, stateFeature)
  const state = (name: (typeof outcomeStates)[number]): number => states[outcomeStates.indexOf(name)] ?? 0
  const resolved = state('labelled') + state('expired')
  return {
    labelled: cells(tallies.outcome, scoreFeature),
    positives: cells(tallies.outcome, positiveFeature),
    arrived: state('labelled'),
    expired: state('expired'),
    predicted: Math.max(resolved, total(cells(tallies.prediction, scoreFeature))),
  }
}

/** Records of a source that were used, over all models: their rows are counted once per segment, so take one. */
export const usedRecords = (tallies: readonly Tally[], feature: string, segment: string): number => {
  let rows = 0
  for (const tally of tallies) {
    if (tally.feature !== feature || tally.segment !== segment) continue
    rows +=
      feature === stateFeature
        ? total(tally.cells) - (tally.cells[outcomeStates.indexOf('expired')] ?? 0)
        : total(tally.cells)
  }
  return rows
}
