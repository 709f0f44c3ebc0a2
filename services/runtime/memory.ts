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
  /** The changes since the last call. */
  take(): ReadonlyMap<string, Data | undefined>
}

/** Values kept decoded; beyond this many all are dropped after a commit, and read again when they are needed. */
const cacheLimit = 50_000

export function createMemory(store: Store, wakeKeys: readonly string[]): Memory {
  const wakes = createWakes(wakeKeys)
  const live = new Map<string, Data | undefined>()
  let changes = new Map<string, Data | undefined>()

  function put(key: string, value: Data | undefined): void {
    live.set(key, value)
    changes.set(key, value)
  }

  function get(key: string): Data | undefined {
    if (live.has(key)) return live.get(key)
    const bytes = store.get(key)
    const value = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as Data)
    live.set(key, value)
    return value
  }

  return {
    state: { get },
    wakes,
    keep({ put: puts = [], wake: set = [] }) {
      for (const [key, value] of puts) put(key, value)
      for (const wake of set) if (wakes.add(wake)) put(wakeKey(wake), true)
    },
    forget: (key) => put(key, undefined),
    take() {
      const taken = changes
      changes = new Map()
      if (live.size > cacheLimit) live.clear()
      return taken
    },
  }
}
