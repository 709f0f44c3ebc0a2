/** Spares a server that does not answer, and the callers that would wait for it. */

export interface Breaker {
  /** Whether calls may go out now. */
  readonly closed: boolean
  succeeded(): void
  failed(): void
}

interface BreakerOptions {
  /** Failures in a row that open it. @default 3 */
  readonly failures?: number
  /** How long it stays open the first time; each failed trial doubles that. @default 500 */
  readonly openMs?: number
  /** @default 10_000 */
  readonly maxOpenMs?: number
  /** The clock, in ms. */
  readonly now?: () => number
}

/** Open after some failures in a row; once the time is over calls may try again, and one failure opens it for longer. */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  const { failures = 3, openMs = 500, maxOpenMs = 10_000, now = () => performance.now() } = options
  let inRow = 0
  let openUntil = Number.NEGATIVE_INFINITY
  let nextOpenMs = openMs
  return {
    get closed() {
      return now() >= openUntil
    },
    succeeded() {
      inRow = 0
      nextOpenMs = openMs
      openUntil = Number.NEGATIVE_INFINITY
    },
    failed() {
      inRow += 1
      // Calls that were already out when it opened do not prolong it.
      if (inRow < failures || now() < openUntil) return
      openUntil = now() + nextOpenMs
      nextOpenMs = Math.min(nextOpenMs * 2, maxOpenMs)
    },
  }
}
