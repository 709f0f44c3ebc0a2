import type { Data } from '../domain/operator.ts'

/** A key as it is remembered. */
export interface Entry {
  value: Data | undefined
  /** What it takes in memory, as far as is known. */
  bytes: number
  /** Changed since the last commit. */
  isDirty: boolean
}

/**
 * Decoded values in two generations: what is used moves to the young one, and when that has half of the budget, the
 * old one, which nobody has used since, is dropped.
 */
export interface Generations {
  find(key: string): Entry | undefined
  add(key: string, value: Data | undefined): Entry
  /** The value of a young key takes so many bytes as JSON. */
  weigh(key: string, sizeBytes: number): void
  /** Drops the old generation when the young one has its half. Nothing that is dirty may be in the old one. */
  ageBeyond(budgetBytes: number): void
}

/** A decoded value takes about four times its JSON, and its entry this much. */
const decodedFactor = 4
const entryBytes = 160

export function createGenerations(): Generations {
  let young = new Map<string, Entry>()
  let old = new Map<string, Entry>()
  let youngBytes = 0
  // A turn puts what it has just got, so the key that was found last is often the next.
  let lastKey = ''
  let lastEntry: Entry | undefined

  function rejuvenated(key: string): Entry | undefined {
    const aged = old.get(key)
    if (aged === undefined) return undefined
    old.delete(key)
    young.set(key, aged)
    youngBytes += aged.bytes
    return aged
  }

  return {
    find(key) {
      if (key === lastKey && lastEntry !== undefined) return lastEntry
      lastEntry = young.get(key) ?? rejuvenated(key)
      lastKey = key
      return lastEntry
    },
    add(key, value) {
      lastKey = key
      lastEntry = { value, bytes: 0, isDirty: false }
      young.set(key, lastEntry)
      return lastEntry
    },
    weigh(key, sizeBytes) {
      const entry = young.get(key)
      if (entry === undefined) return
      const bytes = entryBytes + 2 * key.length + decodedFactor * sizeBytes
      youngBytes += bytes - entry.bytes
      entry.bytes = bytes
    },
    ageBeyond(budgetBytes) {
      if (youngBytes <= budgetBytes / 2) return
      old = young
      young = new Map()
      youngBytes = 0
      lastEntry = undefined
    },
  }
}
