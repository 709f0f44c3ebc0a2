/** A topology's folder may hold a `demo.ts` that exports `demo: Demo`: what `tidemark dev` streams through it. */

export interface DemoRecord {
  readonly topic: string
  readonly key: string | null
  /** An object is encoded in the topic's format; bytes are produced as they are, good or bad. */
  readonly value: Readonly<Record<string, unknown>> | Uint8Array
}

export interface Demo {
  /** How objects become bytes, per topic: JSON text, or Avro of this schema in Confluent wire format. */
  readonly formats: Readonly<Record<string, 'json' | { readonly avro: object }>>
  /** Produced as fast as Kafka takes it, in this order. */
  backlog(): Iterable<DemoRecord>
  /** Produced at a steady rate once the backlog has been worked off: latency is measured here. */
  live(): Iterable<DemoRecord>
  readonly livePerSecond: number
}
