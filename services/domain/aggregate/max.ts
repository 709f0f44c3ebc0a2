import type { Aggregate } from './aggregate.ts'

/** Null of nothing. */
export const max: Aggregate<number | null, number> = {
  over: 'number',
  zero: null,
  add: (state, value) => (state === null ? value : Math.max(state, value)),
  merge: (earlier, later) =>
    earlier === null || later === null ? (earlier ?? later) : Math.max(earlier, later),
  result: (state) => state,
}
