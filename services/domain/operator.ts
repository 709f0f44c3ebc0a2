/**
 * The only contract between the pure domain and the runtime. An operator says what one record (or one
 * timer) does; the runtime applies a turn whole or not at all, and writes it in one Kafka transaction.
 * Same state, same record: same turn. There is no clock, no chance and no input or output here.
 */

/** Milliseconds since 1970-01-01T00:00Z: when something happened in the world, never when it was read. */
export type EventTime = number

/** Before any event: the watermark of a partition that has not spoken yet. */
export const beforeTime: EventTime = -8_640_000_000_000_000

/** After every event: the watermark of a finished input. */
export const endOfTime: EventTime = 8_640_000_000_000_000

/** Plain data, as it is kept in the store. */
export type Data = null | boolean | number | string | readonly Data[] | { readonly [name: string]: Data }

export interface StateReader {
  /** The value under a key, or undefined. Values are never mutated: a turn puts a new one. */
  get(key: string): Data | undefined
}

/** What became of a record of the input; the books count them. */
export type Verdict = 'applied' | 'late' | 'duplicate' | 'dead-letter'

export interface Emission {
  /** The name of one of the stage's outputs. */
  readonly to: string
  /** The Kafka key. It also chooses the partition, unless the output keeps the task's own partition. */
  readonly key: string
  /** A record of the output's schema, without `origin`, `watermark` and `runtime`: the runtime adds those. */
  readonly value: Readonly<Record<string, unknown>>
  /** Kafka headers to keep: a dead letter carries those of the record that it holds. */
  readonly headers?: RecordHeaders
}

/** Kafka headers by name. */
export type RecordHeaders = Readonly<Record<string, Uint8Array>>

/** Asks to be called when the watermark reaches `at`. One wake per (at, key). */
export interface Wake {
  readonly at: EventTime
  readonly key: string
}

/** What a record or a wake does. Keys of `put` are unique within a turn; undefined removes. */
export interface Turn {
  readonly verdict: Verdict
  readonly put?: readonly (readonly [key: string, value: Data | undefined])[]
  readonly emit?: readonly Emission[]
  readonly wake?: readonly Wake[]
  /** Where this task's own event-time clock stands after the turn; only the stages that read user topics set it. */
  readonly watermark?: EventTime
}

/** Where a record stood, and the watermark of the task when its turn began. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The Kafka timestamp of the record in ms: part of the log, so a turn may use it. */
  readonly timestamp: number
  /** For an internal input: the minimum over its upstream tasks, this record's watermark included. */
  readonly watermark: EventTime
}

export interface Operator<In> {
  turn(state: StateReader, record: In, place: Place): Turn
  /** Called in (at, key) order once the watermark has reached `wake.at`; its verdict is ignored. */
  wake?(state: StateReader, wake: Wake, watermark: EventTime): Turn
}
