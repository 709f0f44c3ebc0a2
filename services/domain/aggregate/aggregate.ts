import type { Value } from '../event/contract.ts'
import type { Data } from '../operator.ts'

export type Input = boolean | number | string
export type InputType = 'number' | 'boolean' | 'any'

/**
 * The one algebra of all aggregates. A state is plain data and is never changed in place. Laws, tested over the
 * whole table: merge is associative; zero is its identity; merging the states of two stretches, the earlier one
 * first, is the state of both in one pass (exactly, and to 1e-12 relative where doubles are summed).
 */
export interface Aggregate<State extends Data, In extends Input> {
  /** What it takes. Null is never added: it leaves every aggregate as it is. */
  readonly over: InputType
  readonly zero: State
  add(state: State, value: In): State
  /** `earlier` holds what came before `later`, by (event time, arrival). */
  merge(earlier: State, later: State): State
  /** Null where nothing was added and the aggregate has no natural zero. */
  result(state: State): Value
}

export type AnyAggregate = Aggregate<Data, Input>

/**
 * Adds a value; null changes nothing.
 * @throws Error for a value of another type than the aggregate takes: the definition was not checked.
 */
export function addValue(aggregate: AnyAggregate, state: Data, value: Value): Data {
  if (value === null) return state
  if (aggregate.over !== 'any' && typeof value !== aggregate.over) {
    throw new Error(`an aggregate over ${aggregate.over} was given a ${typeof value}`)
  }
  return aggregate.add(state, value)
}
