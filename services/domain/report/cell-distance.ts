/**
 * Distances between two vectors of cell counts, reference first. All are functions of counts alone, so they
 * are exact, additive over panes and equal on replay. Formulas: `psi`, `jsdBits` with Jeffreys' (c + 1/2) / (N + B/2)
 * on both sides, so that an empty cell is neither infinite nor hidden behind an arbitrary floor.
 */
export type Counts = readonly number[]

export const total = (counts: Counts): number => {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}

/** Shares after adding half a row to every cell. */
export const smoothed = (counts: Counts): number[] => {
  const n = total(counts) + counts.length / 2
  return counts.map((count) => (count + 0.5) / n)
}

/** Population stability index in nats: Σ (q − p) ln(q / p) on smoothed shares. */
export const psi = (reference: Counts, current: Counts): number => {
  const p = smoothed(reference)
  const q = smoothed(current)
  let sum = 0
  for (let k = 0; k < p.length; k++) sum += (q[k]! - p[k]!) * Math.log1p((q[k]! - p[k]!) / p[k]!)
  return sum
}

/** Jensen–Shannon divergence in bits (0 … 1; not its root) on smoothed shares. */
export const jsdBits = (reference: Counts, current: Counts): number =>
  divergence(smoothed(reference), smoothed(current))

/** What each cell adds to `jsdBits`: which cell is to blame. */
export const jsdParts = (reference: Counts, current: Counts): number[] => {
  const p = smoothed(reference)
  const q = smoothed(current)
  return p.map((share, k) => divergencePart(share, q[k]!))
}

/** What PSI is on average when nothing moved: (B − 1)(1/N + 1/M) for B cells and N, M rows. */
export const psiNullMean = (cells: number, n: number, m: number): number => (cells - 1) * (1 / n + 1 / m)

/** What `jsdBits` is on average when nothing moved: an eighth of PSI's, in bits. */
export const jsdNullMean = (cells: number, n: number, m: number): number =>
  psiNullMean(cells, n, m) / 8 / Math.LN2

/** Hellinger distance on raw shares. */
export const hellinger = (reference: Counts, current: Counts): number => {
  const n = total(reference)
  const m = total(current)
  let squares = 0
  for (let k = 0; k < reference.length; k++) {
    squares += (Math.sqrt(reference[k]! / n) - Math.sqrt(current[k]! / m)) ** 2
  }
  return Math.sqrt(squares / 2)
}

/** L∞: the largest difference of raw shares, and the cell that has it (the first, on a tie). */
export const largestGap = (
  reference: Counts,
  current: Counts,
): { readonly gap: number; readonly cell: number } => {
  const n = total(reference)
  const m = total(current)
  let gap = -1
  let cell = -1
  for (let k = 0; k < reference.length; k++) {
    const apart = Math.abs(reference[k]! / n - current[k]! / m)
    if (apart > gap) {
      gap = apart
      cell = k
    }
  }
  return { gap, cell }
}

const divergence = (p: Counts, q: Counts): number => {
  let sum = 0
  for (let k = 0; k < p.length; k++) sum += divergencePart(p[k]!, q[k]!)
  return Math.max(0, sum)
}

/**
 * ½ [p ln(p/m) + q ln(q/m)] in bits, m the mean of p and q. With d = (p − q)/(p + q) it is
 * ½ m [(1 + d) ln(1 + d) + (1 − d) ln(1 − d)], which loses no digits when p and q are close.
 */
const divergencePart = (p: number, q: number): number => {
  const d = (p - q) / (p + q)
  const terms = Math.abs(d) < 1e-3 ? evenSeries(d) : entropyTerm(d) + entropyTerm(-d)
  return ((p + q) / 4 / Math.LN2) * terms
}

const entropyTerm = (d: number): number => (d <= -1 ? 0 : (1 + d) * Math.log1p(d))

/** (1 + d) ln(1 + d) + (1 − d) ln(1 − d) = d² + d⁴/6 + d⁶/15 + … */
const evenSeries = (d: number): number => d * d * (1 + d * d * (1 / 6 + (d * d) / 15))
