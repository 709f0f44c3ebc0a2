import type { Aggregate } from './aggregate.ts'
import { type CompensatedSum, noSum, plus, together, totalOf } from './compensated-sum.ts'

/** 0 of nothing. */
export const sum: Aggregate<CompensatedSum, number> = {
  over: 'number',
  zero: noSum,
  add: plus,
  merge: together,
  result: totalOf,
}
