import type { SourceRecord } from '../domain/event/accept.ts'
import type { Registry } from './codec/registry.ts'
import { type Decoded, decodeSourceSync, type SourceSchemas, sourceSchemas } from './codec/source.ts'
import { brokenBatchHeader } from './dead-letter.ts'
import { tidemarkError } from './errors.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { Placement } from './placement.ts'
import type { StageInput } from './stage.ts'
import type { Input, Origin } from './turns.ts'
import type { Wire } from './wire.ts'

/** The way between bytes and records. */
export interface Bytes {
  readonly wire: Wire
  readonly registry: Registry
  /** Looks at where the records of users' topics stand. */
  readonly placement?: Placement
}

/** Reads a user's topic: whatever the bytes are, an input comes of them, and the operator decides. */
export function readSource(bytes: Bytes | null, inputs: readonly StageInput[]) {
  const partitions = new Map(inputs.map((input) => [input.topic, input.partitions]))
  return async (records: readonly FetchedRecord[]): Promise<Input<SourceRecord>[]> => {
    const { registry, placement } = present(bytes)
    const values = records.map(({ value }) => value)
    const schemas = await sourceSchemas(values, registry)
    // A read is of one task, and so of one topic.
    placement?.look(records, partitions.get(records[0]?.topic ?? '') ?? 1)
    return records.map((record) => {
      const { key, value, headers } = record
      const decoded = decodeRecord(record, schemas)
      return { kind: 'source', record: { key, value, headers, decoded }, place: placeOf(record) }
    })
  }
}

/** What stands for a broken batch has nothing but the reason. */
function decodeRecord({ key, value, headers }: FetchedRecord, schemas: SourceSchemas): Decoded {
  const broken = key === null && value === null ? headers[brokenBatchHeader] : undefined
  if (broken === undefined) return decodeSourceSync(value, schemas)
  return { ok: false, reason: 'undecodable', detail: `its record batch is broken: ${broken.toString()}` }
}

/** Reads a topic of ours. A record that does not decode is a broken invariant. */
export function readInternal<In>(bytes: Bytes | null, schema: string) {
  return async (records: readonly FetchedRecord[]): Promise<Input<In>[]> => {
    const { wire } = present(bytes)
    await wire.prepare(schema, valuesOf(records))
    return records.map((record) => readRecord<In>(wire, schema, record))
  }
}

function present(bytes: Bytes | null): Bytes {
  if (bytes === null) throw new Error('this stage was composed to run in memory')
  return bytes
}

function* valuesOf(records: readonly FetchedRecord[]): Iterable<Buffer> {
  for (const { value } of records) if (value !== null) yield value
}

function readRecord<In>(wire: Wire, schema: string, record: FetchedRecord): Input<In> {
  const value = decodeAt(wire, schema, record)
  const place = placeOf(record)
  const { kind, origin, watermark } = value as { kind?: string; origin: Origin; watermark: number }
  if (kind === 'mark' || kind === 'idle')
    return { kind: 'mark', place, origin, watermark, idle: kind === 'idle' }
  return { kind: 'internal', record: value as In, place, origin, watermark }
}

function decodeAt(wire: Wire, schema: string, record: FetchedRecord): Record<string, unknown> {
  const { topic, partition, offset, value } = record
  try {
    if (value === null) throw new Error('no value')
    return wire.decode(schema, value)
  } catch (error) {
    const detail = `${topic}/${partition} at ${offset}: ${error instanceof Error ? error.message : error}`
    throw tidemarkError('TM_INTERNAL_RECORD', detail, error)
  }
}

function placeOf({ topic, partition, offset, timestamp }: FetchedRecord) {
  return { topic, partition, offset, timestamp }
}
