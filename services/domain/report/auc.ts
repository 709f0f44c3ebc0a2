import { normalQuantile } from './normal.ts'

export interface Auc {
  readonly value: number
  /** Variance of the estimate; null with fewer than two rows in a class. */
  readonly variance: number | null
}

/** Area under the ROC curve with an interval, from score cells. */
export interface BinnedAuc {
  readonly value: number
  readonly se: number | null
  readonly lo: number | null
  readonly hi: number | null
  /** The exact value, before binning, is no further away than this. */
  readonly binningError: number
}

/**
 * AUC from positives and negatives per score cell, in the order of the score; a tie counts a half. The variance
 * is DeLong's (DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837) on the placement values of the cells,
 * which is exact for the binned score. Null when a class is empty.
 */
export const aucOfCells = (positives: readonly number[], negatives: readonly number[]): Auc | null => {
  const p = sum(positives)
  const n = sum(negatives)
  if (p === 0 || n === 0) return null
  const below = placements(positives, negatives, n)
  const value = weightedMean(below, positives, p)
  const spreadOfPositives = weightedVariance(below, positives, p, value)
  // The placement of a negative is the share of positives above it.
  const above = placements(negatives, positives, p).map((share) => 1 - share)
  const spreadOfNegatives = weightedVariance(above, negatives, n, value)
  const known = spreadOfPositives !== null && spreadOfNegatives !== null
  return { value, variance: known ? spreadOfPositives / p + spreadOfNegatives / n : null }
}

/** AUC of plain rows: every distinct score is a cell of its own. */
export const aucOfRows = (scores: readonly number[], labels: readonly boolean[]): Auc | null => {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!)
  const positives: number[] = []
  const negatives: number[] = []
  let previous: number | undefined
  for (const i of order) {
    if (scores[i] !== previous) {
      positives.push(0)
      negatives.push(0)
    }
    previous = scores[i]
    const side = labels[i] ? positives : negatives
    side[side.length - 1]! += 1
  }
  return aucOfCells(positives, negatives)
}

/** `aucOfCells` with a normal interval, clipped to [0, 1], and the bound on what binning cost. */
export const binnedAuc = (
  positives: readonly number[],
  negatives: readonly number[],
  level = 0.95,
): BinnedAuc | null => {
  const auc = aucOfCells(positives, negatives)
  if (auc === null) return null
  const binningError = aucBinningError(positives, negatives)
  return { value: auc.value, binningError, ...interval(auc, level) }
}

/** Rows of one cell may be in any order: half of their pairs, ½ Σ P_b N_b / (P N), is what can be lost. */
export const aucBinningError = (positives: readonly number[], negatives: readonly number[]): number => {
  let pairs = 0
  for (let k = 0; k < positives.length; k++) pairs += positives[k]! * (negatives[k] ?? 0)
  return pairs / 2 / (sum(positives) * sum(negatives))
}

const interval = (auc: Auc, level: number): { se: number | null; lo: number | null; hi: number | null } => {
  if (auc.variance === null) return { se: null, lo: null, hi: null }
  const se = Math.sqrt(auc.variance)
  // Classes that do not overlap show no spread: that is no certainty, so there is no interval.
  if (se === 0) return { se, lo: null, hi: null }
  const half = normalQuantile(1 - (1 - level) / 2) * se
  return { se, lo: Math.max(0, auc.value - half), hi: Math.min(1, auc.value + half) }
}

/** For each cell the share of `others` in lower cells, plus half of those in the same cell. */
const placements = (cells: readonly number[], others: readonly number[], n: number): number[] => {
  let lower = 0
  return cells.map((_, k) => {
    const here = others[k] ?? 0
    const share = (lower + here / 2) / n
    lower += here
    return share
  })
}

const weightedMean = (values: readonly number[], weights: readonly number[], n: number): number => {
  let weighted = 0
  for (let k = 0; k < values.length; k++) weighted += values[k]! * weights[k]!
  return weighted / n
}

const weightedVariance = (
  values: readonly number[],
  weights: readonly number[],
  n: number,
  mean: number,
): number | null => {
  if (n < 2) return null
  let squares = 0
  for (let k = 0; k < values.length; k++) squares += weights[k]! * (values[k]! - mean) ** 2
  return squares / (n - 1)
}

const sum = (counts: readonly number[]): number => {
  let n = 0
  for (const count of counts) n += count
  return n
}
