import type { Counts } from './cell-distance.ts'
import { total } from './cell-distance.ts'
import { chiSquareTail } from './gamma.ts'

export interface ChiSquare {
  readonly statistic: number
  readonly freedom: number
  readonly p: number
}

/**
 * Pearson's test that two count vectors come from one distribution: 2 × K table, no correction, cells empty on
 * both sides dropped. The reference's own noise is in it (a one-sample test would forget it). Null when fewer
 * than two cells or one empty side remain: nothing to test.
 */
export const chiSquare = (reference: Counts, current: Counts): ChiSquare | null => {
  const n = total(reference)
  const m = total(current)
  if (n === 0 || m === 0) return null
  let statistic = 0
  let used = 0
  for (let k = 0; k < reference.length; k++) {
    const both = reference[k]! + current[k]!
    if (both === 0) continue
    used++
    // The two terms of a column share this form: (a m − b n)² / (n m (a + b)).
    statistic += (reference[k]! * m - current[k]! * n) ** 2 / (n * m * both)
  }
  return used < 2 ? null : { statistic, freedom: used - 1, p: chiSquareTail(statistic, used - 1) }
}

/**
 * The same test with cells pooled where the smaller expected count is below `leastExpected`: pooling neighbours
 * in cell order, a last poor group joined to the one before it. The choice of pools looks at the sum of both
 * sides only, so it does not bend the test.
 */
export const pooledChiSquare = (reference: Counts, current: Counts, leastExpected = 5): ChiSquare | null => {
  const n = total(reference)
  const m = total(current)
  const least = (leastExpected * (n + m)) / Math.min(n, m)
  if (!Number.isFinite(least)) return null
  const pools: [number, number][] = []
  let open: [number, number] = [0, 0]
  for (let k = 0; k < reference.length; k++) {
    open = [open[0] + reference[k]!, open[1] + current[k]!]
    if (open[0] + open[1] < least) continue
    pools.push(open)
    open = [0, 0]
  }
  const last = pools.at(-1)
  if (last === undefined) return null
  pools[pools.length - 1] = [last[0] + open[0], last[1] + open[1]]
  return chiSquare(
    pools.map((pool) => pool[0]),
    pools.map((pool) => pool[1]),
  )
}
