import type { Aggregate, Input } from './aggregate.ts'

/** The last value that is not null, by (event time, arrival); null of nothing. */
export const last: Aggregate<Input | null, Input> = {
  over: 'any',
  zero: null,
  add: (_, value) => value,
  merge: (earlier, later) => later ?? earlier,
  result: (state) => state,
}
