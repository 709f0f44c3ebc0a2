import type { Data, StateReader, Turn } from '../domain/operator.ts'
import type { Store } from './store/store.ts'
import { createWakes, type Wakes, wakeKey } from './wakes.ts'

/** What the turns of a task remember: the store, with everything put since the last commit on top of it. */
export interface Memory {
  readonly state: StateReader
  readonly wakes: Wakes
  /** Takes the puts and wakes of a turn. */
  keep(turn: Turn): void
  /** A wake has been called: it is no longer set. */
  forget(key: string): void
  /** How many keys have changed since the last `take`. */
  readonly dirty: number
  /** The changes since the last call. They must be in the store before the next turn. */
  take(): ReadonlyMap<string, Data | undefined>
  /** A changed value takes so many bytes in the store. */
  weigh(key: string, sizeBytes: number): void
}

/** A decoded value takes about four times its JSON, and its entry this much. */
const decodedFactor = 4
const entryBytes = 160

interface Entry {
  value: Data | undefined
  /** What it takes in memory, as far as is known. */
  bytes: number
  /** Changed since the last `take`. */
  isDirty: boolean
}

/**
 * Values stay decoded in two generations: what is used moves to the young one, and when that has half of the budget,
 * the old one, which nobody has used since, is dropped. What was dropped is read from the store again.
 */
export function createMemory(
  store: Store,
  wakeKeys: readonly string[],
  budgetBytes: () => number = () => Number.POSITIVE_INFINITY,
): Memory {
  const wakes = createWakes(wakeKeys)
  let young = new Map<string, Entry>()
  let old = new Map<string, Entry>()
  let youngBytes = 0
  let changed: string[] = []
  let wakeChanges = new Map<string, Data | undefined>()
  // A turn puts what it has just got, so the key that was found last is often the next.
  let lastKey = ''
  let lastEntry: Entry | undefined

  function put(key: string, value: Data | undefined): void {
    let entry = find(key)
    if (entry === undefined) {
      entry = { value, bytes: 0, isDirty: false }
      young.set(key, entry)
    } else entry.value = value
    if (entry.isDirty) return
    entry.isDirty = true
    changed.push(key)
  }

  /** What is remembered of a key; it is then young. */
  function find(key: string): Entry | undefined {
    if (key === lastKey && lastEntry !== undefined) return lastEntry
    const entry = young.get(key) ?? rejuvenated(key)
    lastKey = key
    lastEntry = entry
    return entry
  }

  function rejuvenated(key: string): Entry | undefined {
    const aged = old.get(key)
    if (aged === undefined) return undefined
    old.delete(key)
    young.set(key, aged)
    youngBytes += aged.bytes
    return aged
  }

  function get(key: string): Data | undefined {
    const known = find(key)
    if (known !== undefined) return known.value
    const bytes = store.get(key)
    const value = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as Data)
    lastEntry = { value, bytes: 0, isDirty: false }
    young.set(key, lastEntry)
    weigh(key, bytes?.length ?? 0)
    return value
  }

  function weigh(key: string, sizeBytes: number): void {
    const entry = young.get(key)
    if (entry === undefined) return
    const bytes = entryBytes + 2 * key.length + decodedFactor * sizeBytes
    youngBytes += bytes - entry.bytes
    entry.bytes = bytes
  }

  function take(): Map<string, Data | undefined> {
    const taken = new Map<string, Data | undefined>()
    for (const key of changed) {
      const entry = find(key)!
      entry.isDirty = false
      taken.set(key, entry.value)
    }
    for (const [key, value] of wakeChanges) taken.set(key, value)
    changed = []
    wakeChanges = new Map()
    return taken
  }

  function age(): void {
    old = young
    young = new Map()
    youngBytes = 0
    lastEntry = undefined
  }

  return {
    state: { get },
    wakes,
    keep({ put: puts = [], wake: set = [] }) {
      for (const [key, value] of puts) put(key, value)
      for (const wake of set) if (wakes.add(wake)) wakeChanges.set(wakeKey(wake), true)
    },
    forget: (key) => wakeChanges.set(key, undefined),
    get dirty() {
      return changed.length + wakeChanges.size
    },
    take() {
      const taken = take()
      if (youngBytes > budgetBytes() / 2) age()
      return taken
    },
    weigh,
  }
}
