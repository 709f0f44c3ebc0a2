import type { Data, StateReader, Turn, Wake } from '../domain/operator.ts'
import { createGenerations } from './generations.ts'
import type { Store } from './store/store.ts'
import { createWakes, type Wakes, wakeKey, wakePrefix, wakesFrom } from './wakes.ts'

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
  /** Loads the next wakes that are only in the store, if there are any; all changes must be in the store. */
  loadWakes(): Promise<void>
}

/** The earliest wakes of a store. */
export interface StoredWakes {
  readonly keys: readonly string[]
  readonly isAll: boolean
  /** About so many are kept in memory; the others wait in the store until their time comes nearer. */
  readonly limit: number
}

export async function storedWakes(store: Store, limit = 20_000): Promise<StoredWakes> {
  return { ...(await wakesSince(store, wakePrefix, limit + 1)), limit }
}

async function wakesSince(store: Store, from: string, limit: number) {
  const keys = await store.keys(wakePrefix, { from, limit })
  return { keys, isAll: keys.length < limit }
}

/** What was dropped from memory, to stay within the budget, is read from the store again. */
export function createMemory(
  store: Store,
  wakeKeys: readonly string[] | StoredWakes,
  budgetBytes: () => number = () => Number.POSITIVE_INFINITY,
): Memory {
  const stored = 'isAll' in wakeKeys ? wakeKeys : undefined
  const wakes = createWakes(stored === undefined ? (wakeKeys as readonly string[]) : [])
  if (stored !== undefined) wakes.load(stored.keys, stored.isAll)
  const known = createGenerations()
  let changed: string[] = []
  const timers = createTimers(store, wakes, stored?.limit ?? Number.POSITIVE_INFINITY)

  function put(key: string, value: Data | undefined): void {
    const entry = known.find(key) ?? known.add(key, value)
    entry.value = value
    if (entry.isDirty) return
    entry.isDirty = true
    changed.push(key)
  }

  function get(key: string): Data | undefined {
    const entry = known.find(key)
    if (entry !== undefined) return entry.value
    const bytes = store.get(key)
    const value = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as Data)
    known.add(key, value)
    known.weigh(key, bytes?.length ?? 0)
    return value
  }

  return {
    state: { get },
    wakes,
    keep({ put: puts = [], wake: set = [] }) {
      for (const [key, value] of puts) put(key, value)
      for (const wake of set) timers.add(wake)
    },
    forget: timers.forget,
    get dirty() {
      return changed.length + timers.dirty
    },
    take() {
      const taken = new Map<string, Data | undefined>()
      for (const key of changed) {
        const entry = known.find(key)!
        entry.isDirty = false
        taken.set(key, entry.value)
      }
      timers.takeInto(taken)
      changed = []
      known.ageBeyond(budgetBytes())
      return taken
    },
    weigh: known.weigh,
    loadWakes: timers.load,
  }
}

/** The wakes that were set and called since the last commit, and the way to those that are only in the store. */
function createTimers(store: Store, wakes: Wakes, limit: number) {
  let changes = new Map<string, true | undefined>()

  return {
    add(wake: Wake): void {
      // One that is far away may be set already: then it is written again, which changes nothing.
      if (wakes.add(wake) !== false) changes.set(wakeKey(wake), true)
    },
    forget(key: string): void {
      changes.set(key, undefined)
    },
    get dirty() {
      return changes.size
    },
    takeInto(taken: Map<string, Data | undefined>): void {
      for (const [key, value] of changes) taken.set(key, value)
      changes = new Map()
      wakes.shed(limit)
    },
    async load(): Promise<void> {
      if (wakes.farAt === undefined) return
      const from = wakesFrom(wakes.farAt)
      for (let most = limit + 1; wakes.farAt !== undefined && wakes.size === 0; most *= 2) {
        const { keys, isAll } = await wakesSince(store, from, most)
        wakes.load(keys, isAll)
      }
    },
  }
}
