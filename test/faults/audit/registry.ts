import type { Schemas } from './avro.ts'
import type { RecordSource } from './source.ts'

/** The writer schemas of every id that stands in a header of these topics, asked of the registry one after another. */
export async function fetchSchemas(
  registry: string,
  source: RecordSource,
  topics: readonly string[],
): Promise<Schemas> {
  const schemas = new Map<number, string>()
  for (const id of idsIn(source, topics)) {
    const schema = await fetchSchema(registry, id)
    if (schema !== undefined) schemas.set(id, schema)
  }
  return schemas
}

function idsIn(source: RecordSource, topics: readonly string[]): Set<number> {
  const ids = new Set<number>()
  for (const log of topics.flatMap((topic) => source.partitions(topic))) {
    for (let place = 0; place < log.size; place++) {
      const { value } = log.at(place)
      if (value !== null && value.length >= 5 && value[0] === 0) ids.add(value.readInt32BE(1))
    }
  }
  return ids
}

/** Only a plain "there is none" means that there is none; of anything else the audit must not guess. */
async function fetchSchema(registry: string, id: number): Promise<string | undefined> {
  if (id < 1) return undefined
  const response = await fetch(`${registry.replace(/\/$/, '')}/schemas/ids/${id}`)
  if (response.status === 404) return undefined
  if (!response.ok) throw new Error(`the registry answered ${response.status} for schema ${id}`)
  const { schema } = (await response.json()) as { schema?: unknown }
  if (typeof schema !== 'string') throw new Error(`the registry's answer for ${id} holds no schema`)
  return schema
}
