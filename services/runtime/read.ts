import type { SourceRecord } from '../domain/event/accept.ts'
import type { Registry } from './codec/registry.ts'
import { decodeSourceSync, sourceSchemas } from './codec/source.ts'
import { tidemarkError } from './errors.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { Input, Origin } from './turns.ts'
import type { Wire } from './wire.ts'

/** The way between bytes and records. */
export interface Bytes {
  readonly wire: Wire
  readonly registry: Registry
}

/** Reads a user's topic: whatever the bytes are, an input comes of them, and the operator decides. */
export function readSource(bytes: Bytes | null) {
  return async (records: readonly FetchedRecord[]): Promise<Input<SourceRecord>[]> => {
    const values = records.map(({ value }) => value)
    const schemas = await sourceSchemas(values, present(bytes).registry)
    return records.map((record) => {
      const { key, value } = record
      const decoded = decodeSourceSync(value, schemas)
      return { kind: 'source', record: { key, value, decoded }, place: placeOf(record) }
    })
  }
}

/** Reads a topic of ours. A record that does not decode is a broken invariant. */
export function readInternal<In>(bytes: Bytes | null, schema: string) {
  return async (records: readonly FetchedRecord[]): Promise<Input<In>[]> => {
    const { wire } = present(bytes)
    await wire.prepare(
      schema,
      records.map(({ value }) => value).filter((value) => value !== null),
    )
    return records.map((record) => readRecord<In>(wire, schema, record))
  }
}

function present(bytes: Bytes | null): Bytes {
  if (bytes === null) throw new Error('this stage was composed to run in memory')
  return bytes
}

function readRecord<In>(wire: Wire, schema: string, record: FetchedRecord): Input<In> {
  const place = placeOf(record)
  const where = `${place.topic}/${place.partition} at ${place.offset}`
  if (record.value === null) throw tidemarkError('TM_INTERNAL_RECORD', `${where}: no value`)
  const value = decodeAt(wire, schema, record.value, where)
  const { kind, origin, watermark } = value as { kind?: string; origin: Origin; watermark: number }
  if (kind === 'mark' || kind === 'idle')
    return { kind: 'mark', place, origin, watermark, idle: kind === 'idle' }
  return { kind: 'internal', record: value as In, place, origin, watermark }
}

function decodeAt(wire: Wire, schema: string, bytes: Buffer, where: string): Record<string, unknown> {
  try {
    return wire.decode(schema, bytes)
  } catch (error) {
    throw tidemarkError(
      'TM_INTERNAL_RECORD',
      `${where}: ${error instanceof Error ? error.message : error}`,
      error,
    )
  }
}

function placeOf({ topic, partition, offset, timestamp }: FetchedRecord) {
  return { topic, partition, offset, timestamp }
}
