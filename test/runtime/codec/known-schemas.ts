import type { SchemaSource, StoredSchema } from '../../../services/runtime/codec/schema-cache.ts'
import { tidemarkError } from '../../../services/runtime/errors.ts'

/** A registry in memory: ids from 1 on. Away when told so; ids it does not have are unknown. */
export function knownSchemas(
  ...schemas: readonly object[]
): SchemaSource & { away: boolean; asked: number[] } {
  const stored = new Map<number, StoredSchema>(schemas.map((schema, at) => [at + 1, { known: true, schema }]))
  const cached = new Map<number, StoredSchema>()
  return {
    away: false,
    asked: [],
    get: (id) => cached.get(id),
    async schemas(ids) {
      for (const id of ids) {
        if (cached.has(id)) continue
        this.asked.push(id)
        if (this.away) throw tidemarkError('TM_REGISTRY_AWAY', `schema ${id}`)
        cached.set(id, stored.get(id) ?? { known: false, detail: `schema ${id} is not in the registry` })
      }
      return cached
    },
  }
}

/** Avro in the wire format. */
export function framed(id: number, avro: Uint8Array): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt32BE(id, 1)
  return Buffer.concat([header, avro])
}
