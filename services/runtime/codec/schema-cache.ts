/** What the registry holds under an id. The object stays the same for as long as it is cached. */
export type StoredSchema =
  | { readonly known: true; readonly schema: unknown }
  /** Bad data, not an outage: the registry answered, and there is no Avro schema to read with. */
  | { readonly known: false; readonly detail: string }

/** Where decoders get writer schemas from. */
export interface SchemaSource {
  /**
   * The schemas of some ids, every id answered.
   * @throws TM_REGISTRY_AWAY (retriable) when an id is not cached and the registry does not answer
   */
  schemas(ids: Iterable<number>): Promise<ReadonlyMap<number, StoredSchema>>
  /** What is cached under an id, however old; undefined when `schemas` has to be asked. */
  get(id: number): StoredSchema | undefined
}

interface CacheOptions {
  /** Unknown ids remembered, so that a poisoned topic does not become a storm of requests. @default 1000 */
  readonly maxUnknown?: number
  /** How long an unknown id is believed to be unknown. @default 10_000 */
  readonly unknownMs?: number
  /** Requests on the way at a time. @default 8 */
  readonly concurrency?: number
  /** The clock, in ms. */
  readonly now?: () => number
}

interface Unknown {
  readonly stored: StoredSchema
  readonly until: number
}

/** A schema under an id never changes, so what is known is kept for ever; what is unknown, for a short time. */
export function createSchemaCache(
  load: (id: number) => Promise<StoredSchema>,
  options: CacheOptions = {},
): SchemaSource {
  const { maxUnknown = 1000, unknownMs = 10_000, concurrency = 8, now = () => performance.now() } = options
  const known = new Map<number, StoredSchema>()
  const unknown = new Map<number, Unknown>()
  const loading = new Map<number, Promise<StoredSchema>>()

  function cached(id: number): StoredSchema | undefined {
    const entry = unknown.get(id)
    return known.get(id) ?? (entry !== undefined && now() < entry.until ? entry.stored : undefined)
  }

  function keep(id: number, stored: StoredSchema): StoredSchema {
    if (stored.known) {
      known.set(id, stored)
      return stored
    }
    unknown.delete(id)
    unknown.set(id, { stored, until: now() + unknownMs })
    if (unknown.size > maxUnknown) unknown.delete(unknown.keys().next().value!)
    return stored
  }

  function request(id: number): Promise<StoredSchema> {
    const under = loading.get(id)
    if (under !== undefined) return under
    const promise = load(id)
      .then((stored) => keep(id, stored))
      .finally(() => loading.delete(id))
    loading.set(id, promise)
    return promise
  }

  return {
    get: (id) => known.get(id) ?? unknown.get(id)?.stored,
    async schemas(ids) {
      const found = new Map<number, StoredSchema>()
      const missing: number[] = []
      for (const id of new Set(ids)) {
        const stored = cached(id)
        if (stored === undefined) missing.push(id)
        else found.set(id, stored)
      }
      for (let i = 0; i < missing.length; i += concurrency) {
        const batch = missing.slice(i, i + concurrency)
        const loaded = await Promise.all(batch.map(request))
        for (const [at, id] of batch.entries()) found.set(id, loaded[at]!)
      }
      return found
    },
  }
}
