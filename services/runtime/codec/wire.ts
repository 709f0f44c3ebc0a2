import { catalogue, isRecordName, type RecordName, valueSubject } from '../../../schemas/catalogue.ts'
import { tidemarkError } from '../errors.ts'
import type { Wire } from '../wire.ts'
import { type RecordCodec, recordCodec } from './avro.ts'
import { type RecordReader, recordReader } from './reader.ts'
import type { Registry } from './registry.ts'

type AnyReader = RecordReader<unknown>
type AnyCodec = RecordCodec<unknown>

/**
 * The way between records and bytes for the topics of a plan. Ids are asked for once, of exactly our own schemas.
 * @throws TM_NOT_APPLIED when a topic's schema is not registered
 */
export async function avroWire(
  registry: Registry,
  topics: readonly { readonly name: string; readonly schema: string | null }[],
): Promise<Wire> {
  const ids = new Map<string, number>()
  await Promise.all(
    topics.map(async ({ name, schema }) => {
      if (schema !== null) ids.set(name, await idFor(registry, name, schema))
    }),
  )
  const codecs = new Map<string, AnyCodec>()
  const readers = new Map<string, AnyReader>()
  const codecOf = (schema: string) => cached(codecs, schema, (name) => recordCodec(name) as AnyCodec)
  const readerOf = (schema: string) =>
    cached(readers, schema, (name) => recordReader(name, registry) as AnyReader)
  return {
    encode(schema, value, topic) {
      const id = ids.get(topic)
      if (id === undefined) throw tidemarkError('TM_NOT_APPLIED', `no schema is registered for ${topic}`)
      return codecOf(schema).encode(value, id)
    },
    prepare: (schema, values) => readerOf(schema).prepare(values),
    decode: (schema, bytes) => readerOf(schema).decode(bytes) as Record<string, unknown>,
  }
}

async function idFor(registry: Registry, topic: string, schema: string): Promise<number> {
  const id = await registry.idOf(valueSubject(topic), catalogue[named(schema)].schema)
  if (id === undefined) throw tidemarkError('TM_NOT_APPLIED', `the schema of ${topic} is not registered`)
  return id
}

function cached<T>(made: Map<string, T>, schema: string, make: (name: RecordName) => T): T {
  const found = made.get(schema) ?? make(named(schema))
  made.set(schema, found)
  return found
}

function named(schema: string): RecordName {
  if (!isRecordName(schema)) throw new Error(`there is no record ${schema}`)
  return schema
}
