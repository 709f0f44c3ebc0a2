/** What maps, strings and buffers cost beyond their characters and bytes, roughly. */
const overheadBytes = 150

/** The last change of each key since the last sweep began; null is removed. */
export interface Generation {
  readonly changes: ReadonlyMap<string, Buffer | null>
  readonly keptBytes: number
}

/** The changes that are in the log of a store but not yet among its entries. */
export interface Overlay {
  readonly keptBytes: number
  /** Bytes of the newest generation, which takes the changes. */
  readonly newestBytes: number
  put(key: string, value: Buffer | undefined): void
  /** Null for a key that was removed, undefined for one that has not changed. */
  find(key: string): Buffer | null | undefined
  /** The keys with a prefix that have changed: whether each is present. */
  under(prefix: string): Map<string, boolean>
  /** Begins a new generation and gives the one before, which is still read until it is dropped. */
  rotate(): Generation
  drop(generation: Generation): void
}

export function createOverlay(): Overlay {
  let newest = createGeneration()
  let older: Generation[] = []
  return {
    get keptBytes() {
      return older.reduce((sum, { keptBytes }) => sum + keptBytes, newest.keptBytes)
    },
    get newestBytes() {
      return newest.keptBytes
    },
    put: (key, value) => newest.put(key, value),
    find(key) {
      let found = newest.changes.get(key)
      for (let at = older.length - 1; found === undefined && at >= 0; at -= 1) {
        found = older[at]!.changes.get(key)
      }
      return found
    },
    under(prefix) {
      const keys = new Map<string, boolean>()
      for (const { changes } of [...older, newest]) {
        for (const [key, value] of changes) if (key.startsWith(prefix)) keys.set(key, value !== null)
      }
      return keys
    },
    rotate() {
      const generation = newest
      older.push(generation)
      newest = createGeneration()
      return generation
    },
    drop(generation) {
      older = older.filter((each) => each !== generation)
    },
  }
}

/** Bytes that one change adds at most. */
export function costOf(key: string, value: Buffer | undefined): number {
  return overheadBytes + key.length + (value?.length ?? 0)
}

function createGeneration(): Generation & { put(key: string, value: Buffer | undefined): void } {
  const changes = new Map<string, Buffer | null>()
  let keptBytes = 0
  return {
    changes,
    get keptBytes() {
      return keptBytes
    },
    put(key, value) {
      const before = changes.get(key)
      if (before === undefined) keptBytes += costOf(key, undefined)
      else if (before !== null) keptBytes -= before.length
      keptBytes += value?.length ?? 0
      changes.set(key, value ?? null)
    },
  }
}
