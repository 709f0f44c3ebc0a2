import type { Data, StateReader, Turn } from '../domain/operator.ts'
import { createGenerations } from './generations.ts'
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

/** What was dropped from memory, to stay within the budget, is read from the store again. */
export function createMemory(
  store: Store,
  wakeKeys: readonly string[],
  budgetBytes: () => number = () => Number.POSITIVE_INFINITY,
): Memory {
  const wakes = createWakes(wakeKeys)
  const known = createGenerations()
  let changed: string[] = []
  let wakeChanges = new Map<string, Data | undefined>()

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
      for (const wake of set) if (wakes.add(wake)) wakeChanges.set(wakeKey(wake), true)
    },
    forget: (key) => wakeChanges.set(key, undefined),
    get dirty() {
      return changed.length + wakeChanges.size
    },
    take() {
      const taken = new Map<string, Data | undefined>()
      for (const key of changed) {
        const entry = known.find(key)!
        entry.isDirty = false
        taken.set(key, entry.value)
      }
      for (const [key, value] of wakeChanges) taken.set(key, value)
      changed = []
      wakeChanges = new Map()
      known.ageBeyond(budgetBytes())
      return taken
    },
    weigh: known.weigh,
  }
}
