/**
 * Which of several tests of one window may be called discoveries when a share of at most `alpha` of them may be
 * false on average. Both rules take p-values and return one boolean per test, in the order given.
 */
export const falseDiscoveryRules = {
  /** Benjamini and Hochberg 1995: valid for independent or positively dependent tests. */
  bh: (p: readonly number[], alpha: number): boolean[] => adjusted(p).map((value) => value <= alpha),
  /**
   * Wang and Ramdas 2022: valid under any dependence, which features and overlapping segments have. A p-value
   * becomes the e-value 1 / (2 √p) first.
   */
  'e-bh': (p: readonly number[], alpha: number): boolean[] => eRejected(p.map(eValue), alpha),
} satisfies Record<string, (p: readonly number[], alpha: number) => boolean[]>

export type FalseDiscoveryRule = keyof typeof falseDiscoveryRules

/** The calibrator 1 / (2 √p). A p that underflowed to 0 counts as 1e-300, so that the e-value stays finite. */
export const eValue = (p: number): number => 1 / (2 * Math.sqrt(Math.max(p, 1e-300)))

/** Benjamini–Hochberg adjusted p-values. */
export const adjusted = (p: readonly number[]): number[] => {
  const order = p.map((_, i) => i).sort((a, b) => p[b]! - p[a]! || b - a)
  const out = p.map(() => 1)
  let least = 1
  order.forEach((i, fromTop) => {
    least = Math.min(least, (p[i]! * p.length) / (p.length - fromTop))
    out[i] = least
  })
  return out
}

/** The k largest e-values, for the largest k whose k-th is at least m / (k α). */
export const eRejected = (e: readonly number[], alpha: number): boolean[] => {
  const order = e.map((_, i) => i).sort((a, b) => e[b]! - e[a]! || a - b)
  let k = 0
  order.forEach((i, rank) => {
    if (e[i]! >= e.length / ((rank + 1) * alpha)) k = rank + 1
  })
  const out = e.map(() => false)
  for (const i of order.slice(0, k)) out[i] = true
  return out
}
