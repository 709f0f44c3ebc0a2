import type { Aggregate, Input } from './aggregate.ts'

/** How many values are not null; events, when nothing particular is counted. 0 of nothing. */
export const count: Aggregate<number, Input> = {
  over: 'any',
  zero: 0,
  add: (state) => state + 1,
  merge: (earlier, later) => earlier + later,
  result: (state) => state,
}
