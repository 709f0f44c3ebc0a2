import type { Value } from '../services/domain/event/contract.ts'
import { type EventMeta, eventData } from './events.ts'
import { type Expr, type ExpressionData, tree } from './expressions.ts'
import {
  type AggregateData,
  type FeatureOf,
  type FeatureType,
  featureData,
  type ValueOf,
} from './quantities.ts'

export const featureSetData: unique symbol = Symbol.for('tidemark.feature-set')
export const describedData: unique symbol = Symbol.for('tidemark.feature.described')

/** What may stand as a feature: a quantity, a calculation over the scored event, or either with more said about it. */
export type FeatureValue<Topic extends string> =
  | FeatureOf<Topic, FeatureType>
  | Expr<Topic, FeatureType>
  | Described<Topic>

export type Features<Topic extends string> = Readonly<Record<string, FeatureValue<Topic>>>

export interface FeatureOptions<Type extends FeatureType> {
  /** Who answers for it; its set's or topology's owner unless told. */
  readonly owner?: string
  /** Goes up when its meaning changes; 1 unless told. */
  readonly version?: number
  readonly description?: string
  /** Replaces null. */
  readonly default?: ValueOf[Type]
}

export interface Described<Topic extends string> {
  readonly [describedData]: {
    readonly stream: Topic
    readonly of: AggregateData | ExpressionData
    readonly options: DescribedOptions
  }
}

export interface DescribedOptions {
  readonly owner?: string
  readonly version?: number
  readonly description?: string
  readonly default?: Value
}

/** Features that belong together, to be shared by topologies over the same scored stream. */
export interface FeatureSet<Topic extends string, Names extends string> {
  readonly [featureSetData]: {
    readonly stream: Topic
    readonly owner: string
    readonly features: Readonly<Record<Names, FeatureValue<Topic>>>
  }
}

/** Says more about a feature than its value does. */
export function feature<Topic extends string, Type extends FeatureType>(
  of: FeatureOf<Topic, Type> | Expr<Topic, Type>,
  options: FeatureOptions<NoInfer<Type>>,
): Described<Topic> {
  const data = featureData in of ? of[featureData] : of[tree]
  return Object.freeze({ [describedData]: { stream: data.stream, of: data, options } })
}

/** Declares features with their owner, apart from the topologies that use them. */
export function featureSet<Topic extends string, const Set extends Features<NoInfer<Topic>>>(definition: {
  /** The stream whose events carry the features. */
  readonly of: EventMeta<Topic>
  readonly owner: string
  readonly features: Set
}): FeatureSet<Topic, keyof Set & string> {
  const { of, owner, features } = definition
  return Object.freeze({ [featureSetData]: { stream: of[eventData].topic, owner, features } })
}
