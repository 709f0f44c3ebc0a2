import type { Aggregate } from './aggregate.ts'

/** Null of nothing. */
export const min: Aggregate<number | null, number> = {
  over: 'number',
  zero: null,
  add: (state, value) => (state === null ? value : Math.min(state, value)),
  merge: (earlier, later) =>
    earlier === null || later === null ? (earlier ?? later) : Math.min(earlier, later),
  result: (state) => state,
}
