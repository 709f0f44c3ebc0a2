import type avro from 'avsc'
import type { RecordName, Records } from '../../../schemas/catalogue.ts'
import { tidemarkError } from '../errors.ts'
import { decodeExactly, parseSchema, recordType } from './avro.ts'
import { compiledReader } from './compiled-reader.ts'
import type { SchemaSource, StoredSchema } from './schema-cache.ts'
import { asBuffer, headerBytes, schemaIdOf } from './wire-format.ts'

/** Reads records that Tidemark wrote, whichever version of the schema wrote them. */
export interface RecordReader<T> {
  /**
   * Fetches the writer schemas that a batch needs and that are not there yet; call it before `decode`.
   * @throws TM_REGISTRY_AWAY (retriable)
   */
  prepare(values: Iterable<Uint8Array>): Promise<void>
  /**
   * A record in our own version of the schema; fields that the writer did not have take their defaults.
   * @throws TM_INTERNAL_RECORD when the bytes are no such record, or their schema is unknown or cannot be read as ours
   * · TM_REGISTRY_AWAY (retriable) when their schema is not cached
   */
  decode(value: Uint8Array): T
}

type Resolver = ReturnType<avro.Type['createResolver']>

// A resolver is dear to make (about 40 µs) and cheap to keep; the same schema as ours needs none.
const sameSchema = Symbol('same schema')

export function recordReader<N extends RecordName>(name: N, source: SchemaSource): RecordReader<Records[N]> {
  const type = recordType(name)
  const read = compiledReader(type)
  const resolvers = new Map<number, Resolver | typeof sameSchema>()
  function resolverFor(id: number): Resolver | typeof sameSchema {
    let resolver = resolvers.get(id)
    if (resolver === undefined) {
      resolver = resolverOf(name, type, id, source.get(id))
      resolvers.set(id, resolver)
    }
    return resolver
  }
  return {
    async prepare(values) {
      const missing = new Set<number>()
      for (const value of values) {
        const id = schemaIdOf(value)
        if (id !== undefined && !resolvers.has(id) && source.get(id) === undefined) missing.add(id)
      }
      if (missing.size > 0) await source.schemas(missing)
    },
    decode(value) {
      const id = schemaIdOf(value)
      if (id === undefined)
        throw tidemarkError('TM_INTERNAL_RECORD', `${name}: it does not begin with a schema id`)
      const resolver = resolverFor(id)
      const record = resolver === sameSchema ? read(asBuffer(value), headerBytes) : undefined
      if (record !== undefined) return record as Records[N]
      try {
        return decodeExactly(
          type,
          value,
          headerBytes,
          resolver === sameSchema ? undefined : resolver,
        ) as Records[N]
      } catch (error) {
        throw tidemarkError('TM_INTERNAL_RECORD', `${name}: ${(error as Error).message}`)
      }
    },
  }
}

function resolverOf(
  name: RecordName,
  type: avro.Type,
  id: number,
  stored: StoredSchema | undefined,
): Resolver | typeof sameSchema {
  if (stored === undefined) throw tidemarkError('TM_REGISTRY_AWAY', `schema ${id} has not been fetched yet`)
  if (!stored.known) throw tidemarkError('TM_INTERNAL_RECORD', `${name}: ${stored.detail}`)
  try {
    const writer = parseSchema(stored.schema)
    return type.equals(writer) ? sameSchema : type.createResolver(writer)
  } catch (error) {
    throw tidemarkError('TM_INTERNAL_RECORD', `${name} cannot be read with schema ${id}`, error)
  }
}
