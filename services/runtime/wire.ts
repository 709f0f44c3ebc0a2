import { deadLetterHeaders, trimDeadLetter } from './dead-letter.ts'
import type { OutRecord } from './kafka/writer.ts'
import type { Outgoing, Progress } from './turns.ts'
import type { Upstream } from './upstreams.ts'

/** Encoders of the records that the runtime itself writes and reads; made once per process from the registry's ids. */
export interface Wire {
  /** A record of `schemas/`, in Confluent wire format. */
  encode(schema: string, value: Record<string, unknown>, topic: string): Buffer
  /** Fetches the writer schemas that a batch needs; call it before `decode`. */
  prepare(schema: string, values: Iterable<Uint8Array>): Promise<void>
  /** A record of `schemas/` as it was written, resolved to today's schema. Throws TM_INTERNAL_RECORD. */
  decode(schema: string, bytes: Uint8Array): Record<string, unknown>
}

/** What a record says of the run that made it; never compared, never part of a decision. */
export interface RuntimePart {
  readonly instance: string
  readonly at: number
  readonly micros: number
}

export function encodeOutgoing(
  wire: Wire,
  outgoing: Outgoing,
  schema: string,
  topic: string,
  runtime: RuntimePart,
): OutRecord {
  const { value } = outgoing
  const key = Buffer.from(outgoing.key)
  // Internal records say nothing of the run that made them: they are compared byte for byte.
  if (internalSchemas.has(schema)) return { key, value: wire.encode(schema, value, topic) }
  if (schema !== 'DeadLetter') return { key, value: wire.encode(schema, { ...value, runtime }, topic) }
  const letter = { ...trimDeadLetter(value), runtime }
  return {
    key,
    value: wire.encode(schema, letter, topic),
    headers: deadLetterHeaders(value, outgoing.headers),
  }
}

const internalSchemas = new Set(['JournalEntry', 'FeaturePart', 'OutcomeEntry', 'Pane'])

export interface CheckpointRecord {
  readonly position: number
  readonly watermark: number
  readonly upstreams: readonly (Upstream & { readonly writer: string })[]
  readonly topologyHash: string
  readonly incarnation: number
  readonly index: number
  readonly counts: Progress['counts']
  readonly ended: boolean
}

export function checkpointOf(progress: Progress, topologyHash: string): CheckpointRecord {
  const upstreams = [...progress.upstreams]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([writer, upstream]) => ({ writer, ...upstream }))
  const { position, watermark, incarnation, index, ended } = progress
  return {
    position,
    watermark,
    upstreams,
    topologyHash,
    incarnation,
    index,
    counts: { ...progress.counts },
    ended,
  }
}

export function progressOf(checkpoint: CheckpointRecord): Progress {
  const { position, watermark, incarnation, index, ended } = checkpoint
  const upstreams = new Map(checkpoint.upstreams.map(({ writer, ...upstream }) => [writer, upstream]))
  return { position, watermark, upstreams, counts: { ...checkpoint.counts }, incarnation, index, ended }
}
