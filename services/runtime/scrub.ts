import { tidemarkError } from './errors.ts'
import type { Store } from './store/store.ts'

/** Checks a store while it is in use, every `intervalMs`. */
export interface Scrub {
  /** @throws TM_STORE_DAMAGED once, when a check has found something */
  demandSound(): void
  stop(): void
}

export function startScrub(store: Store, intervalMs: number, found: () => void): Scrub {
  let damage: string | undefined
  let isRunning = false

  async function check(): Promise<void> {
    if (isRunning) return
    isRunning = true
    damage ??= await store.check().catch(String)
    isRunning = false
    if (damage !== undefined) found()
  }

  const timer = setInterval(() => void check(), intervalMs)
  return {
    demandSound() {
      if (damage === undefined) return
      const detail = damage
      damage = undefined
      throw tidemarkError('TM_STORE_DAMAGED', detail)
    },
    stop: () => clearInterval(timer),
  }
}
