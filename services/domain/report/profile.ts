import { aucOfRows } from './auc.ts'
import type { CellValue, FeatureFrame, FeatureStatus } from './cell.ts'
import { binCount, cellCount, cellIn, statusCells } from './cell.ts'
import { normalQuantile } from './normal.ts'
import { quantileEdges } from './quantile-edges.ts'

/** The name under which the score is counted beside the features. No feature may be called so. */
export const scoreFeature = '__score__'

/** The segment that holds every row; the others are called `name=value`. */
export const wholeStream = ''

/**
 * What a model was made from, as counts: frozen once, kept as JSON beside the model, known by the hash of that
 * JSON. Reports compare the stream with it. Cells are laid out as `cell.ts` says.
 */
export interface ReferenceProfile {
  readonly format: 1
  readonly features: Readonly<Record<string, FeatureFrame>>
  readonly score: FeatureFrame
  /** Rows per cell, by feature (`__score__` too) and segment (`''` is all). */
  readonly counts: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
  /** Labelled rows per score cell, and how many of them were positive, by segment. */
  readonly labelled: Readonly<Record<string, readonly number[]>>
  readonly positives: Readonly<Record<string, readonly number[]>>
  /** The mean score of each score bin. */
  readonly scoreMeans: readonly number[]
  readonly baseRate: number | null
  readonly auc: { readonly value: number; readonly lo: number; readonly hi: number } | null
  readonly n: number
}

/** One row of the training set. Its score should be one the model gave without having seen the row. */
export interface ReferenceRow {
  readonly values: Readonly<Record<string, CellValue>>
  readonly statuses: Readonly<Record<string, FeatureStatus>>
  readonly segments: Readonly<Record<string, string>>
  readonly score: number
  readonly label: boolean | null
}

export interface ProfileOptions {
  readonly features: Readonly<Record<string, 'numeric' | 'categorical'>>
  /** Bins of a numeric feature: 10 by custom; a narrow stream is better served by few. */
  readonly cells?: number
  /** Cells of the score axis: 200, or fewer so that each holds at least `rowsPerScoreCell` rows. */
  readonly scoreCells?: number
  readonly rowsPerScoreCell?: number
  readonly level?: number
}

/** The cell of a value of `feature` (or of `__score__`); undefined when the profile has no such feature. */
export const cellOf = (
  profile: ReferenceProfile,
  feature: string,
  value: CellValue,
  status: FeatureStatus = 'value',
): number | undefined => {
  const frame = frameOf(profile, feature)
  return frame && cellIn(frame, value, status)
}

export const frameOf = (
  profile: Pick<ReferenceProfile, 'features' | 'score'>,
  feature: string,
): FeatureFrame | undefined => {
  if (feature === scoreFeature) return profile.score
  return Object.hasOwn(profile.features, feature) ? profile.features[feature] : undefined
}

/** The reference counts of a feature in a segment; undefined when the reference never saw that segment. */
export const referenceCounts = (
  profile: ReferenceProfile,
  feature: string,
  segment: string,
): readonly number[] | undefined => own(own(profile.counts, feature), segment)

/** The names of the segments that a row belongs to, the whole stream first. */
export const segmentNames = (segments: Readonly<Record<string, string>>): string[] => [
  wholeStream,
  ...Object.keys(segments)
    .sort()
    .map((name) => `${name}=${segments[name]}`),
]

/**
 * Builds the profile of a training set: one pass for the edges, one for the counts. `rows` is walked twice.
 * Same rows in any order: same profile.
 */
export const buildProfile = (rows: readonly ReferenceRow[], options: ProfileOptions): ReferenceProfile => {
  const features = Object.fromEntries(
    Object.entries(options.features)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, kind]) => [name, frameFor(rows, name, kind, options.cells ?? 10)] as const),
  )
  const score: FeatureFrame = { kind: 'numeric', edges: scoreEdges(rows, options) }
  const frames = { features, score }
  const labels = rows.filter((row) => row.label !== null)
  const positives = labels.filter((row) => row.label === true)
  return {
    format: 1,
    ...frames,
    counts: countFeatures(frames, rows),
    labelled: countScores(score, labels),
    positives: countScores(score, positives),
    scoreMeans: meansPerBin(score, rows),
    baseRate: labels.length === 0 ? null : positives.length / labels.length,
    auc: referenceAuc(labels, options.level ?? 0.95),
    n: rows.length,
  }
}

const frameFor = (
  rows: readonly ReferenceRow[],
  name: string,
  kind: 'numeric' | 'categorical',
  cells: number,
): FeatureFrame => {
  const values = rows
    .filter((row) => statusCells[row.statuses[name] ?? 'value'] === null)
    .map((row) => row.values[name] ?? null)
  if (kind === 'categorical') {
    const vocabulary = new Set(values.filter((value) => value !== null).map(String))
    return { kind, vocabulary: [...vocabulary].sort() }
  }
  const numbers = values.filter(
    (value): value is number => typeof value === 'number' && Number.isFinite(value),
  )
  return { kind, edges: quantileEdges(Float64Array.from(numbers).sort(), cells) }
}

const scoreEdges = (rows: readonly ReferenceRow[], options: ProfileOptions): number[] => {
  const scores = Float64Array.from(rows.map((row) => row.score).filter(Number.isFinite)).sort()
  const affordable = Math.floor(scores.length / (options.rowsPerScoreCell ?? 5))
  return quantileEdges(scores, Math.max(1, Math.min(options.scoreCells ?? 200, affordable)))
}

type Frames = Pick<ReferenceProfile, 'features' | 'score'>

const countFeatures = (frames: Frames, rows: readonly ReferenceRow[]): ReferenceProfile['counts'] => {
  const counts: Record<string, Record<string, number[]>> = { [scoreFeature]: countScores(frames.score, rows) }
  for (const [name, frame] of Object.entries(frames.features)) {
    counts[name] = countBySegment(frame, rows, (row) =>
      cellIn(frame, row.values[name] ?? null, row.statuses[name] ?? 'value'),
    )
  }
  return counts
}

const countScores = (frame: FeatureFrame, rows: readonly ReferenceRow[]): Record<string, number[]> =>
  countBySegment(frame, rows, (row) => cellIn(frame, row.score, 'value'))

const countBySegment = (
  frame: FeatureFrame,
  rows: readonly ReferenceRow[],
  cellOfRow: (row: ReferenceRow) => number,
): Record<string, number[]> => {
  const bySegment = new Map<string, number[]>([[wholeStream, new Array(cellCount(frame)).fill(0)]])
  for (const row of rows) {
    const cell = cellOfRow(row)
    for (const segment of segmentNames(row.segments)) {
      let counts = bySegment.get(segment)
      if (counts === undefined) {
        counts = new Array<number>(cellCount(frame)).fill(0)
        bySegment.set(segment, counts)
      }
      counts[cell]! += 1
    }
  }
  return Object.fromEntries([...bySegment].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Sums in ascending order, so that the order of the rows does not show in the last digits. */
const meansPerBin = (frame: FeatureFrame, rows: readonly ReferenceRow[]): number[] => {
  const sums = new Array<number>(binCount(frame)).fill(0)
  const n = new Array<number>(binCount(frame)).fill(0)
  for (const score of Float64Array.from(rows.map((row) => row.score).filter(Number.isFinite)).sort()) {
    const bin = cellIn(frame, score, 'value')
    sums[bin]! += score
    n[bin]! += 1
  }
  return sums.map((sum, bin) => (n[bin] === 0 ? 0 : sum / n[bin]!))
}

const referenceAuc = (labels: readonly ReferenceRow[], level: number): ReferenceProfile['auc'] => {
  const auc = aucOfRows(
    labels.map((row) => row.score),
    labels.map((row) => row.label === true),
  )
  if (auc === null || auc.variance === null) return null
  const half = normalQuantile(1 - (1 - level) / 2) * Math.sqrt(auc.variance)
  return { value: auc.value, lo: Math.max(0, auc.value - half), hi: Math.min(1, auc.value + half) }
}

const own = <T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
