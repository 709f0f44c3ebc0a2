import { isUtf8 } from 'node:buffer'
import { tidemarkError } from '../errors.ts'
import { decodeExactly } from './avro.ts'
import type { SchemaSource, StoredSchema } from './schema-cache.ts'
import type { SourceSchema } from './source-schema.ts'
import { sourceSchema } from './source-schema.ts'
import { asBuffer, headerBytes, schemaIdOf } from './wire-format.ts'

/**
 * A user's event. `value` has own properties only: a plain object for JSON; for Avro an instance of a class without
 * methods, with maps as plain objects, bytes as Buffers and logical types left as their numbers. Ask it with Object.hasOwn.
 */
export type Decoded =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>>; readonly format: 'avro' | 'json' }
  | { readonly ok: false; readonly reason: 'undecodable'; readonly detail: string }

/** The largest value that is decoded: Kafka's default limit for a message. */
export const maxSourceBytes = 1024 * 1024
const maxDepth = 32

/** The writer schemas of a batch, every id answered; a registry itself will do when it has them cached. */
export type SourceSchemas = Pick<ReadonlyMap<number, StoredSchema>, 'get'>

/**
 * Decodes one event. For a batch, `sourceSchemas` and then `decodeSourceSync`.
 * @throws TM_REGISTRY_AWAY (retriable) when the schema is not cached and the registry does not answer; nothing else
 */
export async function decodeSource(value: Uint8Array | null, source: SchemaSource): Promise<Decoded> {
  return decodeSourceSync(value, await sourceSchemas([value], source))
}

/**
 * The writer schemas that a batch needs.
 * @throws TM_REGISTRY_AWAY (retriable) when one is not cached and the registry does not answer
 */
export async function sourceSchemas(
  values: Iterable<Uint8Array | null>,
  source: SchemaSource,
): Promise<SourceSchemas> {
  const ids = new Set<number>()
  for (const value of values) {
    const id = value === null || value.length > maxSourceBytes ? undefined : schemaIdOf(value)
    if (id !== undefined) ids.add(id)
  }
  return source.schemas(ids)
}

/**
 * Decodes one event, Avro in the Confluent wire format or JSON. Bad data is a result, never an exception: what is
 * neither format, cut short or too long, of an unknown schema, not UTF-8, no object, too deep (more than 32 levels) or
 * too large (more than 1 MiB), or has a key named __proto__ or half a surrogate pair. Details never quote the data.
 * @throws TM_REGISTRY_AWAY (retriable) when the schemas are not those of the value's batch
 */
export function decodeSourceSync(value: Uint8Array | null, schemas: SourceSchemas): Decoded {
  if (value === null) return undecodable('it has no value')
  if (value.length > maxSourceBytes)
    return undecodable(`it has ${value.length} bytes, more than ${maxSourceBytes}`)
  const id = schemaIdOf(value)
  if (id !== undefined) return decodeAvro(value, id, schemas.get(id))
  return beginsAsObject(value)
    ? decodeJson(value)
    : undecodable('it is neither Avro in the Confluent format nor a JSON object')
}

const readers = new WeakMap<StoredSchema, SourceSchema>()

function decodeAvro(value: Uint8Array, id: number, stored: StoredSchema | undefined): Decoded {
  if (stored === undefined) throw tidemarkError('TM_REGISTRY_AWAY', `schema ${id} has not been fetched yet`)
  if (!stored.known) return undecodable(stored.detail)
  const schema = readers.get(stored) ?? prepare(stored, stored.schema)
  if (!schema.usable) return undecodable(schema.detail)
  try {
    const record = decodeExactly(schema.type, value, headerBytes) as Record<string, unknown>
    for (const field of schema.wrapped) record[field] = unwrap(record[field])
    return checked(record, 'avro')
  } catch (error) {
    return undecodable(`it does not fit schema ${id}: ${avroDetail(error)}`)
  }
}

function prepare(stored: StoredSchema, schema: unknown): SourceSchema {
  const prepared = sourceSchema(schema)
  readers.set(stored, prepared)
  return prepared
}

/** A union that JavaScript cannot tell apart comes as { branch: value }, or null. */
function unwrap(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Object.values(value)[0] : value
}

/** avsc's messages are its own words and numbers; only the kind of error is told of any other. */
function avroDetail(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deep, or a length is impossible'
  return error instanceof Error ? error.message.slice(0, 200) : 'unknown error'
}

function decodeJson(value: Uint8Array): Decoded {
  if (!isUtf8(value)) return undecodable('it is not valid UTF-8')
  let parsed: unknown
  try {
    parsed = JSON.parse(asBuffer(value).toString('utf8'))
  } catch {
    return undecodable('it is not valid JSON')
  }
  return checked(parsed as Record<string, unknown>, 'json')
}

const openBrace = 0x7b
const whitespace = new Set([0x20, 0x09, 0x0a, 0x0d])

function beginsAsObject(value: Uint8Array): boolean {
  let at = 0
  while (at < value.length && whitespace.has(value[at]!)) at += 1
  return value[at] === openBrace
}

function checked(value: Record<string, unknown>, format: 'avro' | 'json'): Decoded {
  const detail = flaw(value, 1)
  return detail === undefined ? { ok: true, value, format } : undecodable(detail)
}

/** What would be unsafe or ambiguous further on: JSON.parse itself allows all of this. */
function flaw(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'a text has half a surrogate pair'
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined
  if (depth > maxDepth) return `it is nested deeper than ${maxDepth} levels`
  if (Array.isArray(value)) return firstFlaw(value, depth)
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return 'it has a key named __proto__'
    if (!key.isWellFormed()) return 'a key has half a surrogate pair'
    const detail = flaw((value as Record<string, unknown>)[key], depth + 1)
    if (detail !== undefined) return detail
  }
  return undefined
}

function firstFlaw(items: readonly unknown[], depth: number): string | undefined {
  for (const item of items) {
    const detail = flaw(item, depth + 1)
    if (detail !== undefined) return detail
  }
  return undefined
}

function undecodable(detail: string): Decoded {
  return { ok: false, reason: 'undecodable', detail }
}
