import { tidemarkError } from '../errors.ts'
import type { Registry } from './registry.ts'
import type { StoredSchema } from './schema-cache.ts'

/** A registry of one process: ids are given in the order in which schemas are first asked for. It is never away. */
export function localRegistry(): Registry {
  const ids = new Map<string, number>()
  const stored = new Map<number, StoredSchema>()
  const bySubject = new Map<string, number[]>()

  function idFor(subject: string, schema: object): number {
    const text = JSON.stringify(schema)
    const id = ids.get(text) ?? ids.size + 1
    ids.set(text, id)
    if (!stored.has(id)) stored.set(id, { known: true, schema })
    const versions = bySubject.get(subject) ?? []
    if (!versions.includes(id)) bySubject.set(subject, [...versions, id])
    return id
  }

  const unknown = (id: number): StoredSchema => ({
    known: false,
    detail: `schema ${id} is not in the registry`,
  })

  return {
    get: (id) => stored.get(id) ?? unknown(id),
    schemas: async (wanted) => new Map([...wanted].map((id) => [id, stored.get(id) ?? unknown(id)])),
    register: async (subject, schema) => idFor(subject, schema),
    idOf: async (subject, schema) => idFor(subject, schema),
    latestId: async (subject) => bySubject.get(subject)?.at(-1),
    compatibilityOf: async () => undefined,
    plan: async (subject) => {
      throw tidemarkError('TM_SCHEMA', `${subject}: a local registry has no rules to plan by`)
    },
  }
}
