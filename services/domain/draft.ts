import type { Data, Emission, EventTime, StateReader, Turn, Verdict, Wake } from './operator.ts'

/** A turn in the making: it reads what it has itself put, and changes nothing until it is handed over. */
export interface Draft extends StateReader {
  put(key: string, value: Data | undefined): void
  emit(emission: Emission): void
  wake(at: EventTime, key: string): void
  turn(verdict: Verdict): Turn
}

export function createDraft(state: StateReader): Draft {
  const puts = new Map<string, Data | undefined>()
  const emissions: Emission[] = []
  const wakes: Wake[] = []
  return {
    get: (key) => (puts.has(key) ? puts.get(key) : state.get(key)),
    put: (key, value) => void puts.set(key, value),
    emit: (emission) => void emissions.push(emission),
    wake: (at, key) => void wakes.push({ at, key }),
    turn: (verdict) => ({ verdict, put: [...puts], emit: emissions, wake: wakes }),
  }
}

/** Joins names to a state key; a name may hold any character. */
export function stateKey(...names: readonly string[]): string {
  return names.map((name) => name.replace(/[%|]/g, (sign) => (sign === '%' ? '%25' : '%7C'))).join('|')
}
