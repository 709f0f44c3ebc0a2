import type { Aggregate } from './aggregate.ts'
import { type CompensatedSum, noSum, plus, together, totalOf } from './compensated-sum.ts'

type Mean = readonly [count: number, sum: CompensatedSum]

/** The compensated sum over the count of the numbers that are not null; null of nothing. */
export const mean: Aggregate<Mean, number> = {
  over: 'number',
  zero: [0, noSum],
  add: ([count, sum], value) => [count + 1, plus(sum, value)],
  merge: (earlier, later) => [earlier[0] + later[0], together(earlier[1], later[1])],
  result: ([count, sum]) => (count === 0 ? null : totalOf(sum) / count),
}
