import avro from 'avsc'
import type { RecordName, Records } from '../../../schemas/catalogue.ts'
import { catalogue } from '../../../schemas/catalogue.ts'
import { tidemarkError } from '../errors.ts'
import { canonicalForm } from './canonical-form.ts'
import { compiledReader } from './compiled-reader.ts'
import { type CompiledWriter, compiledWriter } from './compiled-writer.ts'
import { withExactLong } from './long.ts'
import { asBuffer, headerBytes, writeHeader } from './wire-format.ts'

export interface RecordCodec<T> {
  /**
   * The record in the wire format. The same value always gives the same bytes, whatever the order of its map keys.
   * A field that has a default may be left out.
   * @param schemaId the registry's id of exactly this schema, never merely of the subject's latest
   * @throws TM_OPERATOR naming the fields that do not fit, or that the schema does not have; never their values
   */
  encode(value: T | Readonly<Record<string, unknown>>, schemaId: number): Buffer
  /**
   * Reads what `encode` of the same schema version wrote; for other versions see `recordReader`.
   * Records come back with own properties only, maps as plain objects (ask them with Object.hasOwn), bytes copied.
   * @param offset where the Avro begins, after the header
   * @throws TM_INTERNAL_RECORD when the bytes are cut short or too many
   */
  decode(bytes: Uint8Array, offset?: number): T
}

const codecs = new Map<RecordName, RecordCodec<unknown>>()

/** The codec of a record's current schema; made once per process. */
export function recordCodec<N extends RecordName>(name: N): RecordCodec<Records[N]> {
  let codec = codecs.get(name)
  if (codec === undefined) {
    codec = createCodec(name, recordType(name))
    codecs.set(name, codec)
  }
  return codec as RecordCodec<Records[N]>
}

/** The current schema of a record as avsc has it. */
export function recordType(name: RecordName): avro.Type {
  return parseSchema(catalogue[name].schema)
}

/**
 * A schema that Tidemark owns: no methods on decoded records, unions of distinct types unwrapped.
 * @param schema self-contained schema JSON
 */
export function parseSchema(schema: unknown): avro.Type {
  // avsc keeps the named types it has met in the options, so these must not be shared.
  return avro.Type.forSchema(schema as avro.Type, {
    omitRecordMethods: true,
    wrapUnions: 'never',
    typeHook: withExactLong,
  })
}

/** Reads exactly one value: avsc alone would pass over trailing bytes. */
export function decodeExactly(
  type: avro.Type,
  bytes: Uint8Array,
  offset: number,
  resolver?: ReturnType<avro.Type['createResolver']>,
): unknown {
  const { value, offset: end } = type.decode(asBuffer(bytes), offset, resolver)
  if (end < 0) throw new Error('the bytes end too early')
  if (end !== bytes.length) throw new Error(`${bytes.length - end} bytes follow the record`)
  return value
}

/** Records are written one behind the other into one piece of memory, until it is full. */
const slabBytes = 64 * 1024
let slab = Buffer.allocUnsafeSlow(slabBytes)
let slabAt = 0

// One scratch buffer serves all codecs: encoding is synchronous and its result is copied out.
let scratch = Buffer.allocUnsafe(16 * 1024)
const scratchLimitBytes = 1024 * 1024

function createCodec(name: RecordName, type: avro.Type): RecordCodec<unknown> {
  const toCanonical = canonicalForm(type)
  // The runtime offers its part to every record; one without that field leaves it.
  const fields = new Set(['runtime', ...catalogue[name].schema.fields.map((field) => field.name)])
  const write = compiledWriter(type)
  const read = compiledReader(type)
  return {
    encode(value, schemaId) {
      const record = value as Readonly<Record<string, unknown>>
      for (const field in record) if (!fields.has(field)) throw misfit(name, [field])
      const written = writeFramed(write, record, schemaId)
      if (written !== undefined) return written
      try {
        return encodeFramed(type, toCanonical(record), schemaId)
      } catch (error) {
        throw misfit(name, misfits(type, toCanonical(record)), error)
      }
    },
    decode(bytes, offset = headerBytes) {
      const value = read(asBuffer(bytes), offset)
      if (value !== undefined) return value
      try {
        return decodeExactly(type, bytes, offset)
      } catch (error) {
        throw tidemarkError('TM_INTERNAL_RECORD', `${name}: ${(error as Error).message}`)
      }
    },
  }
}

/** Undefined when the value must be looked at more closely, or is larger than a slab. */
function writeFramed(write: CompiledWriter, value: unknown, schemaId: number): Buffer | undefined {
  let end = write(slab, slabAt + headerBytes, value)
  if (end > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes)
    slabAt = 0
    end = write(slab, headerBytes, value)
  }
  if (end < 0 || end > slabBytes) return undefined
  const framed = slab.subarray(slabAt, end)
  slabAt = end
  writeHeader(framed, schemaId)
  return framed
}

function encodeFramed(type: avro.Type, value: unknown, schemaId: number): Buffer {
  let target = scratch
  let end = type.encode(value, target, headerBytes)
  if (end < 0) {
    // avsc says how many bytes were missing.
    target = Buffer.allocUnsafe(target.length - end)
    end = type.encode(value, target, headerBytes)
    if (target.length <= scratchLimitBytes) scratch = target
  }
  writeHeader(target, schemaId)
  return Buffer.copyBytesFrom(target, 0, end)
}

function misfits(type: avro.Type, value: unknown): string[] {
  const paths: string[] = []
  type.isValid(value, { errorHook: (path) => paths.push(path.join('.')) })
  return paths.slice(0, 3)
}

/** avsc's own message quotes the value, so it is not passed on. */
function misfit(name: RecordName, paths: readonly string[], cause?: unknown): Error {
  if (paths.length > 0)
    return tidemarkError('TM_OPERATOR', `${name}: ${paths.join(', ')} does not fit the schema`)
  return tidemarkError('TM_OPERATOR', `${name} cannot be encoded`, cause)
}
