import type { Field, FieldType } from '../services/domain/event/contract.ts'
import type { Duration } from './duration.ts'
import { type ExprByType, type ExpressionType, expressionOf, type FieldOf } from './expressions.ts'
import { type FieldSpec, fieldData } from './fields.ts'

export const eventData: unique symbol = Symbol.for('tidemark.event')

export type FieldSpecs = Readonly<Record<string, FieldSpec>>

/** What an event's definition says, with durations as they were written. */
export interface EventData {
  readonly topic: string
  readonly id: string
  readonly time: string
  readonly lateness: string
  readonly maxAhead: string
  /** Null when it is not told. */
  readonly dedupe: string | null
  readonly idle: string
  readonly partitions: number
  readonly fields: Readonly<Record<string, Field>>
}

export interface EventMeta<Topic extends string> {
  readonly [eventData]: EventData & { readonly topic: Topic }
}

type FieldNames<Specs extends FieldSpecs, Type extends FieldType> = {
  [Name in keyof Specs & string]: Specs[Name] extends FieldSpec<Type> ? Name : never
}[keyof Specs & string]

type Column<Topic extends string, Spec> =
  Spec extends FieldSpec<infer Type, infer Entity> ? ExprByType<Topic>[Type] & FieldOf<Topic, Entity> : never

/** A stream of events. Its own properties are its fields and nothing else, so a field may have any name. */
export type Event<Topic extends string, Specs extends FieldSpecs> = EventMeta<Topic> & {
  readonly [Name in keyof Specs & string]: Column<Topic, Specs[Name]>
}

export interface EventOptions<Specs extends FieldSpecs> {
  /** The field that identifies an event. */
  readonly id: FieldNames<Specs, 'string' | 'integer'>
  /** The field that says when it happened. */
  readonly time: FieldNames<Specs, 'timestamp'>
  /** How far behind the newest event of its partition an event may come and still count. */
  readonly lateness: Duration
  /** How far ahead of its Kafka timestamp an event may be; 5 minutes unless told. */
  readonly maxAhead?: Duration
  /**
   * For how long of event time an id is remembered. For the scored stream and the labels at least twice the label's
   * horizon plus the lateness, for others at least the lateness. Unless told a day, or that if it is longer.
   */
  readonly dedupe?: Duration
  /** After how long of silence a partition no longer holds back the others; 10 seconds unless told. */
  readonly idle?: Duration
  /** 4 unless told. */
  readonly partitions?: number
  readonly fields: Specs
}

/** Declares the contract of a topic. */
export function event<const Topic extends string, const Specs extends FieldSpecs>(
  topic: Topic,
  options: EventOptions<Specs>,
): Event<Topic, Specs> {
  const { id, time, lateness, maxAhead = '5m', dedupe = null, idle = '10s', partitions = 4 } = options
  const columns: Record<PropertyKey, unknown> = Object.create(null)
  const fields: Record<string, Field> = Object.create(null)
  const data: EventData = { topic, id, time, lateness, maxAhead, dedupe, idle, partitions, fields }
  for (const [name, spec] of Object.entries<FieldSpec>(options.fields)) {
    const field = spec[fieldData]
    fields[name] = field
    columns[name] = expressionOf(
      { stream: topic, event: data, type: expressionType(field.type), expression: { op: 'field', name } },
      { stream: topic, event: data, name, entity: field.entity ?? null },
    )
  }
  columns[eventData] = data
  return Object.freeze(columns) as Event<Topic, Specs>
}

function expressionType(type: FieldType): ExpressionType {
  return type === 'integer' ? 'number' : type
}
