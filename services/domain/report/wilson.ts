import { normalQuantile } from './normal.ts'

/** A share k of n with its interval. `share`, `lo` and `hi` are null when there is nothing to divide by. */
export interface Share {
  readonly k: number
  readonly n: number
  readonly share: number | null
  readonly lo: number | null
  readonly hi: number | null
}

/**
 * Wilson's score interval for a share: it stays inside [0, 1] and keeps its level near 0 and 1, where
 * coverage shares live (E. B. Wilson, JASA 22 (1927) 209).
 */
export const wilson = (k: number, n: number, level = 0.95): Share => {
  if (n <= 0) return { k, n, share: null, lo: null, hi: null }
  const z = normalQuantile(1 - (1 - level) / 2)
  const share = k / n
  const centre = share + (z * z) / (2 * n)
  const half = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))
  const scale = 1 + (z * z) / n
  return {
    k,
    n,
    share,
    lo: k === 0 ? 0 : Math.max(0, (centre - half) / scale),
    hi: k === n ? 1 : Math.min(1, (centre + half) / scale),
  }
}
