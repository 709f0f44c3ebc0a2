import type { Data, StateReader } from '../operator.ts'

/** What one turn has changed so far: reads see it, and `puts` is what the turn returns. */
export interface Draft {
  get(key: string): Data | undefined
  put(key: string, value: Data | undefined): void
  puts(): [string, Data | undefined][]
}

export const draftOf = (state: StateReader): Draft => {
  const changed = new Map<string, Data | undefined>()
  return {
    get: (key) => (changed.has(key) ? changed.get(key) : state.get(key)),
    put: (key, value) => {
      changed.set(key, value)
    },
    puts: () => [...changed],
  }
}
