import { byBytes } from './order.ts'
import type { Store } from './store.ts'

/** A store that forgets at the end of the process: for the driver, backfill and tests. */
export function memoryStore(): Store {
  const entries = new Map<string, Buffer>()
  return {
    damage: undefined,
    pendingBytes: 0,
    get: (key) => entries.get(key),
    keys: async (prefix, { from = prefix, limit } = {}) =>
      [...entries.keys()]
        .filter((key) => key.startsWith(prefix) && byBytes(key, from) >= 0)
        .sort(byBytes)
        .slice(0, limit),
    apply: async (changes) => {
      for (const [key, value] of changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, value)
      }
    },
    check: async () => undefined,
    clear: async () => entries.clear(),
    close: async () => {},
  }
}
