import { isUtf8 } from 'node:buffer'
import avro from 'avsc'

/** A schema by its id in the registry; undefined when the registry knows no such id. */
export interface Schemas {
  get(id: number): string | undefined
}

export type Fields = Readonly<Record<string, unknown>>

/** What every record of Tidemark's own says of itself. */
export interface Stamp {
  /** Absent in topics that have no marks. */
  readonly kind?: string
  readonly origin: Origin
  readonly watermark: number
}

export interface Origin {
  readonly writer: string
  readonly incarnation: number
  readonly offset: number
  readonly index: number
  readonly time: number
}

export interface Decoder {
  /** Only where a record of Tidemark's own comes from: the rest is skipped. Throws when the bytes are none. */
  stamp(bytes: Buffer): Stamp
  /** A record of Tidemark's own as it was written. Throws when the bytes are none. */
  own(bytes: Buffer): Fields
  /** A record of a user's topic, Avro or JSON; undefined when the bytes are nothing that may be used. */
  user(bytes: Buffer | null): Fields | undefined
}

const headerBytes = 5
const largestUserBytes = 1024 * 1024
const deepest = 32

/**
 * Longs as numbers. avsc's own long doubles a number before it writes it and halves what it reads, so that the times
 * before and after all events change their sign; with eight bytes from avsc and BigInt, every safe integer is exact.
 */
const exactLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => safe(bytes.readBigInt64LE()),
  toBuffer: (number: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(number))
    return bytes
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: Number.isSafeInteger,
  compare: (left: number, right: number) => Math.sign(left - right),
})

export function avroType(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, { typeHook: longHook })
}

function longHook(part: unknown): avro.Type | undefined {
  const isLong = typeof part === 'object' && part !== null && 'type' in part && part.type === 'long'
  return part === 'long' || isLong ? exactLong : undefined
}

export function createDecoder(schemas: Schemas): Decoder {
  const types = new Map<number, Reading | undefined>()
  const typeOf = (bytes: Buffer): Reading | undefined => {
    if (bytes.length < headerBytes || bytes[0] !== 0) return undefined
    const id = bytes.readInt32BE(1)
    if (!types.has(id)) types.set(id, tryReading(schemas.get(id)))
    return types.get(id)
  }
  return {
    stamp(bytes) {
      const { type, stamp } = typeOf(bytes) ?? unknown()
      if (stamp === undefined) return decodeWhole(type, bytes) as unknown as Stamp
      return decodeWhole(stamp.type, bytes, stamp.resolver) as unknown as Stamp
    },
    own: (bytes) => decodeWhole((typeOf(bytes) ?? unknown()).type, bytes),
    user(bytes) {
      if (bytes === null || bytes.length > largestUserBytes) return undefined
      const fields = bytes[0] === 0 ? decodeUser(bytes, typeOf(bytes)) : parseJson(bytes)
      return fields !== undefined && isSound(fields, 1) ? fields : undefined
    },
  }
}

/** How to read the records of one schema. */
interface Reading {
  readonly type: avro.Type
  readonly stamp: { readonly type: avro.Type; readonly resolver: avro.Resolver } | undefined
  /** Fields whose union avsc hands over as { branch: value }, since JavaScript cannot tell the branches apart. */
  readonly wrapped: readonly string[]
}

function unknown(): never {
  throw new Error('no Avro of a known schema')
}

function tryReading(schema: string | undefined): Reading | undefined {
  if (schema === undefined) return undefined
  try {
    const parsed = JSON.parse(schema) as { readonly fields?: readonly { readonly name: string }[] }
    const type = avroType(parsed)
    const fields = type.typeName === 'record' ? (type as avro.types.RecordType).fields : []
    const wrapped = fields.filter((field) => field.type.typeName === 'union:wrapped').map(({ name }) => name)
    return { type, stamp: stampOf(type, parsed), wrapped }
  } catch {
    return undefined
  }
}

/** A reader's schema with nothing but the stamp; undefined for records that have none. */
function stampOf(
  type: avro.Type,
  schema: { readonly fields?: readonly { readonly name: string }[] },
): Reading['stamp'] {
  const fields = schema.fields?.filter(({ name }) => ['kind', 'origin', 'watermark'].includes(name)) ?? []
  if (!fields.some(({ name }) => name === 'origin')) return undefined
  const reader = avroType({ ...schema, fields })
  return { type: reader, resolver: reader.createResolver(type) }
}

/** Bytes beyond the record mean that they were written with another schema. */
function decodeWhole(type: avro.Type, bytes: Buffer, resolver?: avro.Resolver): Fields {
  const { value, offset } = type.decode(bytes, headerBytes, resolver) as { value: Fields; offset: number }
  if (offset !== bytes.length) throw new Error('the record does not end where its bytes do')
  return value
}

function decodeUser(bytes: Buffer, reading: Reading | undefined): Fields | undefined {
  if (reading?.type.typeName !== 'record') return undefined
  try {
    const fields = { ...decodeWhole(reading.type, bytes) }
    for (const name of reading.wrapped) fields[name] = unwrapped(fields[name])
    return fields
  } catch {
    return undefined
  }
}

function unwrapped(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? Object.values(value)[0] : value
}

function parseJson(bytes: Buffer): Fields | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'))
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? (parsed as Fields) : undefined
  } catch {
    return undefined
  }
}

/** What no contract may see: half characters, keys that are traps, bottomless nesting. */
function isSound(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  if (depth > deepest) return false
  return Object.entries(value).every(
    ([key, part]) => key !== '__proto__' && key.isWellFormed() && isSound(part, depth + 1),
  )
}

function safe(long: bigint): number {
  const number = Number(long)
  if (!Number.isSafeInteger(number)) throw new Error('a long that no double holds')
  return number
}
