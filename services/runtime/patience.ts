import { errorTable, isTidemarkError } from './errors.ts'
import type { Log } from './log.ts'

/** Tries again what failed only because something is away, with longer and longer pauses, and says so once. */
export interface Patience {
  /** True during a pause: it is too early to try again. */
  readonly isWaiting: boolean
  /** What `act` gives, or undefined when something is away. @throws any error that is not retriable */
  attempt<T>(act: () => Promise<T>): Promise<T | undefined>
}

const firstPauseMs = 100
const longestPauseMs = 5_000

export function createPatience(log: Log, now = () => performance.now()): Patience {
  let pauseMs = 0
  let againAtMs = 0
  return {
    get isWaiting() {
      return now() < againAtMs
    },
    async attempt(act) {
      try {
        const done = await act()
        if (pauseMs > 0) log.info('going on')
        pauseMs = 0
        return done
      } catch (error) {
        if (!isTidemarkError(error) || !errorTable[error.code].retriable || error.code === 'TM_STORE_DAMAGED')
          throw error
        if (pauseMs === 0) log.warn({ code: error.code, reason: error.message }, 'waiting for what is away')
        pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, 2 * pauseMs))
        againAtMs = now() + pauseMs
        return undefined
      }
    },
  }
}
