import type { Value } from '../services/domain/event/contract.ts'
import type { AggregateName } from '../services/domain/feature/definition.ts'
import type { Expression } from '../services/domain/feature/expression.ts'
import type { Duration } from './duration.ts'
import { type EventData, type EventMeta, eventData } from './events.ts'
import {
  type BooleanExpr,
  type Expr,
  type ExpressionType,
  type FieldOf,
  fieldOf,
  type NumberExpr,
  tree,
} from './expressions.ts'

export const featureData: unique symbol = Symbol.for('tidemark.feature')

export type FeatureType = 'number' | 'string' | 'boolean'
export type ValueOf = { readonly number: number; readonly string: string; readonly boolean: boolean }

export interface QuantityData {
  readonly aggregate: AggregateName
  readonly event: EventData
  readonly of: Expression | null
  readonly by: string
  readonly entity: string
  readonly window: string
  readonly self: 'include' | 'exclude'
}

/** A feature as written; `at` is null where a quantity is read at the field that it is kept by. */
export interface AggregateData {
  readonly kind: 'aggregate'
  readonly type: FeatureType
  /** The stream whose events carry the feature. */
  readonly stream: string
  readonly quantity: QuantityData
  readonly at: { readonly field: string; readonly entity: string }
  readonly default: Value
}

/** A feature that an event of `Topic` can carry. */
export interface FeatureOf<Topic extends string, Type extends FeatureType> {
  readonly [featureData]: AggregateData & { readonly stream: Topic; readonly type: Type }
  /** Replaces null, for instance at an airport that nothing is known about; using it is recorded. */
  default(value: ValueOf[Type]): FeatureOf<Topic, Type>
}

/** Known per entity; a feature of its own stream's events as it is, and of another's by `.at(field)`. */
export interface Quantity<Topic extends string, Type extends FeatureType, Entity extends string>
  extends FeatureOf<Topic, Type> {
  /** Reads it for the entity that this field of the scored event names. */
  at<Scored extends string>(field: FieldOf<Scored, Entity>): FeatureOf<Scored, Type>
}

export interface Windowed<Topic extends string, Type extends FeatureType, Entity extends string> {
  /** Over the time (t − window, t]; `self: 'exclude'` leaves out the event that is being scored. */
  over(window: Duration, options?: { readonly self?: 'include' | 'exclude' }): Quantity<Topic, Type, Entity>
}

export interface Keyed<Topic extends string, Type extends FeatureType> {
  /** Kept once for each value of this field, which names an entity. */
  by<Entity extends string>(field: FieldOf<Topic, Entity>): Windowed<Topic, Type, Entity>
}

/** How many events. 0 when there was none. */
export function count<Topic extends string>(stream: EventMeta<Topic>): Keyed<Topic, 'number'> {
  return keyed('count', stream[eventData], null, 'number')
}

/** Sum of what is not null. 0 when there was nothing. */
export function sum<Topic extends string>(of: NumberExpr<Topic>): Keyed<Topic, 'number'> {
  return aggregateOf('sum', of, 'number')
}

/** Mean of what is not null. Null when there was nothing. */
export function mean<Topic extends string>(of: NumberExpr<Topic>): Keyed<Topic, 'number'> {
  return aggregateOf('mean', of, 'number')
}

/** How much of what is not null is true, 0 to 1. Null when there was nothing. */
export function share<Topic extends string>(of: BooleanExpr<Topic>): Keyed<Topic, 'number'> {
  return aggregateOf('share', of, 'number')
}

export function min<Topic extends string>(of: NumberExpr<Topic>): Keyed<Topic, 'number'> {
  return aggregateOf('min', of, 'number')
}

export function max<Topic extends string>(of: NumberExpr<Topic>): Keyed<Topic, 'number'> {
  return aggregateOf('max', of, 'number')
}

/** The newest value that is not null. Null when there was none. */
export function last<Topic extends string, Type extends FeatureType>(
  of: Expr<Topic, Type>,
): Keyed<Topic, Type> {
  return aggregateOf('last', of, of[tree].type)
}

function aggregateOf<Topic extends string, Type extends FeatureType>(
  aggregate: AggregateName,
  of: Expr<Topic, ExpressionType>,
  type: Type,
): Keyed<Topic, Type> {
  return keyed(aggregate, of[tree].event, of[tree].expression, type)
}

function keyed<Topic extends string, Type extends FeatureType>(
  aggregate: AggregateName,
  event: EventData,
  of: Expression | null,
  type: Type,
): Keyed<Topic, Type> {
  return {
    by: (field) => ({
      over: (window, { self = 'include' } = {}) => {
        const { name: by, entity, stream } = field[fieldOf]
        return quantityOf({ aggregate, event, of, by, entity, window, self }, stream, type)
      },
    }),
  }
}

function quantityOf<Topic extends string, Type extends FeatureType, Entity extends string>(
  quantity: QuantityData,
  stream: Topic,
  type: Type,
): Quantity<Topic, Type, Entity> {
  const here = { field: quantity.by, entity: quantity.entity }
  const own = { kind: 'aggregate', type, stream, quantity, at: here, default: null } as const
  return Object.freeze({
    ...featureOf(own),
    at<Scored extends string>(field: FieldOf<Scored, Entity>) {
      const { stream: scored, name, entity } = field[fieldOf]
      return featureOf({ ...own, stream: scored, at: { field: name, entity } })
    },
  })
}

function featureOf<Topic extends string, Type extends FeatureType>(
  data: AggregateData & { readonly stream: Topic; readonly type: Type },
): FeatureOf<Topic, Type> {
  return Object.freeze({
    [featureData]: Object.freeze(data),
    default: (value: ValueOf[Type]) => featureOf({ ...data, default: value }),
  })
}
