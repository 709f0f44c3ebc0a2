import { DefinitionError } from '../definition-error.ts'
import type { EventTime } from '../operator.ts'

export type Value = null | boolean | number | string

/** What becomes of a value that breaks its contract: the record is refused, the value is dropped, or it is kept and noted. */
export type Breach = 'reject' | 'null' | 'flag'
export type FieldType = 'string' | 'number' | 'integer' | 'boolean' | 'timestamp'

export interface Field {
  readonly type: FieldType
  readonly nullable: boolean
  readonly semantics?: string
  /** The entity that this field names. */
  readonly entity?: string
  readonly unit?: string
  /** Both ends belong to it. */
  readonly range?: readonly [number, number]
  /** Matched against the whole string. */
  readonly pattern?: string
  readonly oneOf?: readonly string[]
  readonly breach: Breach
}

export interface Stream {
  readonly topic: string
  readonly partitions: number
  /** The field that identifies an event: a string or an integer. */
  readonly id: string
  /** The field that says when it happened: a timestamp. */
  readonly time: string
  readonly latenessMs: number
  /** How far an event's time may be ahead of its Kafka timestamp. */
  readonly maxAheadMs: number
  /** For how long of event time an id is remembered. */
  readonly dedupeMs: number
  /** After how long without a record a partition no longer holds back the others. */
  readonly idleMs: number
  readonly fields: Readonly<Record<string, Field>>
}

export interface Accepted {
  readonly ok: true
  readonly id: string
  readonly time: EventTime
  /** Every contracted field, null when absent; timestamps in ms. */
  readonly values: Readonly<Record<string, Value>>
  /** Fields whose value broke the contract and was dropped or only noted. */
  readonly flagged: readonly string[]
}

export interface Refused {
  readonly ok: false
  readonly reason: 'contract' | 'no-time' | 'no-id'
  /** Names the field and the rule; never a string out of the record. */
  readonly detail: string
}

export type Checked = Accepted | Refused

/** Checks one decoded record against its stream's contract. Fields outside the contract are ignored. */
export function checkEvent(stream: Stream, decoded: unknown): Checked {
  throw new DefinitionError(`${stream.topic}: no check for ${typeof decoded}`)
}
