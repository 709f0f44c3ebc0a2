import type { Aggregate } from './aggregate.ts'

type Share = readonly [holds: number, known: number]

/** The share of events for which a predicate holds among those for which it is not null; null of nothing. */
export const share: Aggregate<Share, boolean> = {
  over: 'boolean',
  zero: [0, 0],
  add: ([holds, known], value) => [holds + (value ? 1 : 0), known + 1],
  merge: (earlier, later) => [earlier[0] + later[0], earlier[1] + later[1]],
  result: ([holds, known]) => (known === 0 ? null : holds / known),
}
