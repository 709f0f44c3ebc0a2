import { tidemarkError } from './errors.ts'
import type { Store } from './store/store.ts'

/** Checks a store while it is in use, every `intervalMs`. */
export interface Scrub {
  /** @throws TM_STORE_DAMAGED once, when a check has found something, and TM_STORE when it was refused */
  demandSound(): void
  stop(): void
}

export function startScrub(store: Store, intervalMs: number, found: () => void): Scrub {
  let failure: unknown
  let isRunning = false

  async function check(): Promise<void> {
    if (isRunning) return
    isRunning = true
    try {
      const damage = await store.check()
      if (damage !== undefined) failure = tidemarkError('TM_STORE_DAMAGED', damage)
    } catch (error) {
      failure = error
    }
    isRunning = false
    if (failure !== undefined) found()
  }

  const timer = setInterval(() => void check(), intervalMs)
  return {
    demandSound() {
      if (failure === undefined) return
      const thrown = failure
      failure = undefined
      throw thrown
    },
    stop: () => clearInterval(timer),
  }
}
