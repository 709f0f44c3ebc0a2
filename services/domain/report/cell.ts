/**
 * Where a feature value is counted. A frame is frozen from the reference: bins (quantile edges or a vocabulary),
 * and after them the guard cells, which are the same for every frame. Counts in such cells are all that drift,
 * coverage and performance are computed from.
 */
export type FeatureStatus = 'value' | 'default' | 'missing' | 'invalid' | 'stale' | 'warming' | 'approximate'

export type CellValue = null | boolean | number | string

export type FeatureFrame =
  | {
      readonly kind: 'numeric'
      /**
       * `edges[i]` is the lowest value of bin i; the last edge is the highest value of the reference and belongs
       * to the last bin. Ascending; the last two are equal when the highest value is a bin of its own.
       */
      readonly edges: readonly number[]
    }
  | { readonly kind: 'categorical'; readonly vocabulary: readonly string[] }

/** The guard cells in the order in which they follow the bins. Append only: the order is in every profile. */
export const guardCells = [
  'below',
  'above',
  'null',
  'nan',
  'default',
  'unknown',
  'invalid',
  'stale',
  'warming',
  'approximate',
] as const

export type GuardCell = (typeof guardCells)[number]

/** Which guard cell a status leads to; null: the value itself decides. */
export const statusCells: Readonly<Record<FeatureStatus, GuardCell | null>> = {
  value: null,
  default: 'default',
  missing: 'null',
  invalid: 'invalid',
  stale: 'stale',
  warming: 'warming',
  approximate: 'approximate',
}

/**
 * Which guard cells the drift distance looks at. It leaves out what tells of Tidemark rather than of the world:
 * warming windows, late events, degraded aggregates, values put in by a default or a contract. Coverage reports
 * those. Measured on the flights of January 2001 against themselves: with warming rows compared, every 7-day
 * feature reads as drifted in every week (0.12 to 0.56 bits); without, one of 44 by 0.025.
 */
export const driftCompared: Readonly<Record<GuardCell, boolean>> = {
  below: true,
  above: true,
  null: true,
  nan: true,
  default: false,
  unknown: true,
  invalid: false,
  stale: false,
  warming: false,
  approximate: false,
}

export const binCount = (frame: FeatureFrame): number =>
  frame.kind === 'numeric' ? Math.max(0, frame.edges.length - 1) : frame.vocabulary.length

export const cellCount = (frame: FeatureFrame): number => binCount(frame) + guardCells.length

export const guardIndex = (frame: FeatureFrame, guard: GuardCell): number =>
  binCount(frame) + guardCells.indexOf(guard)

/** The cell of one value with its status. An unknown status is an error of the caller and counts as invalid. */
export const cellIn = (frame: FeatureFrame, value: CellValue, status: FeatureStatus): number => {
  const guard = Object.hasOwn(statusCells, status) ? statusCells[status] : 'invalid'
  return guard === null ? valueCell(frame, value) : guardIndex(frame, guard)
}

/** What a cell is called in a report: its range, its word, or its guard. */
export const cellName = (frame: FeatureFrame, cell: number): string => {
  const bins = binCount(frame)
  if (cell >= bins) return guardCells[cell - bins] ?? `cell ${cell}`
  if (frame.kind === 'categorical') return `= ${frame.vocabulary[cell]}`
  const close = cell === bins - 1 ? ']' : ')'
  return `[${frame.edges[cell]}, ${frame.edges[cell + 1]}${close}`
}

const valueCell = (frame: FeatureFrame, value: CellValue): number => {
  if (value === null) return guardIndex(frame, 'null')
  if (frame.kind === 'categorical') {
    const at = frame.vocabulary.indexOf(String(value))
    return at < 0 ? guardIndex(frame, 'unknown') : at
  }
  if (typeof value !== 'number') return guardIndex(frame, 'invalid')
  if (!Number.isFinite(value)) return guardIndex(frame, 'nan')
  return numericCell(frame, frame.edges, value)
}

const numericCell = (frame: FeatureFrame, edges: readonly number[], value: number): number => {
  const bins = edges.length - 1
  if (bins < 1 || value > edges[bins]!) return guardIndex(frame, 'above')
  if (value < edges[0]!) return guardIndex(frame, 'below')
  let low = 0
  let high = bins
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (edges[middle]! <= value) low = middle
    else high = middle
  }
  return low
}
