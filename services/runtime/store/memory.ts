import type { Store } from './store.ts'

/** A store that forgets at the end of the process: for the driver, backfill and tests. */
export function memoryStore(): Store {
  const entries = new Map<string, Buffer>()
  return {
    get: (key) => entries.get(key),
    keys: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)).sort(byBytes),
    apply: async (changes) => {
      for (const [key, value] of changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, value)
      }
    },
    clear: async () => entries.clear(),
    close: async () => {},
  }
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
