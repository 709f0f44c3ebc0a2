import { setTimeout as sleep } from 'node:timers/promises'
import { errorTable, isTidemarkError, tidemarkError } from './errors.ts'
import { KafkaFenced, KafkaRefused } from './kafka/failures.ts'
import type { Log } from './log.ts'
import { RestoreAbandoned } from './restore.ts'
import type { Signal } from './signal.ts'
import type { Store } from './store/store.ts'

/** What a task does when its life has ended in an error. */
export interface Recovery {
  /**
   * Waits until it is right to try again, and empties a damaged store.
   * @throws the coded error that trying again cannot cure
   */
  recover(store: Store, error: unknown): Promise<void>
  /** A commit has succeeded: what failed before is over. */
  unhurt(): void
  /** The store is as its changelog is. */
  restored(): void
  /** True when the last commit or restore is so long ago that the changelog may have lost tombstones which the store has not seen. */
  readonly hasSlept: boolean
}

export interface RecoveryOptions {
  readonly log: Log
  /** Raised when the coordinator has confirmed that this process is a member. */
  readonly confirmed: Signal
  isClosing(): boolean
  /** Told how each life ended that is followed by another. */
  counted(kind: string): void
}

const firstPauseMs = 100
const longestPauseMs = 5_000
/** Long enough for the other deployment to get on; a task that was closed meanwhile does not wait. */
const contestedPauseMs = 30_000
/** Well below the day for which a changelog keeps tombstones. */
const longestSleepMs = 12 * 3_600_000

export const damagedText = 'the local store was damaged and is rebuilt'

export function createRecovery({ log, confirmed, isClosing, counted }: RecoveryOptions): Recovery {
  let failures = 0
  let aliveMs = Date.now()
  let fencedAtMs: number[] = []

  /** One takeover is a rebalance; a fourth within a minute is another deployment under the same name. */
  function isContested(): boolean {
    const nowMs = performance.now()
    fencedAtMs = [...fencedAtMs, nowMs].filter((atMs) => nowMs - atMs < 60_000)
    return fencedAtMs.length > 3
  }

  /** A task that is closed does not wait. */
  async function pause(pauseMs: number): Promise<void> {
    const endMs = performance.now() + pauseMs
    for (let left = endMs - performance.now(); left > 0 && !isClosing(); left = endMs - performance.now())
      await sleep(Math.min(left, 100))
  }

  return {
    async recover(store, error) {
      if (error instanceof RestoreAbandoned) return
      const verdict = verdictOf(error)
      if (verdict instanceof Error) throw verdict
      counted(verdict)
      const reason = error instanceof Error ? error.message : String(error)
      if (verdict === 'damaged') {
        log.warn({ damage: reason }, damagedText)
        await store.clear()
        return
      }
      failures += 1
      log.warn({ reason, failures }, verdict === 'fenced' ? 'fenced' : 'starting again')
      const contested = verdict === 'fenced' && isContested()
      if (contested) log.error({ code: 'TM_CONTESTED' }, errorTable.TM_CONTESTED.message)
      // A fenced task may have a new owner: it tries again only as a confirmed member that still has the task.
      if (verdict === 'fenced') while (!isClosing() && !(await confirmed.wait(10_000)));
      if (contested) return pause(contestedPauseMs)
      const growing = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10))
      await pause(verdict === 'refused' ? 1_000 : growing)
    },
    unhurt() {
      failures = 0
      aliveMs = Date.now()
    },
    restored() {
      aliveMs = Date.now()
    },
    get hasSlept() {
      return Date.now() - aliveMs > longestSleepMs
    },
  }
}

/** Kafka's names for records that it would refuse again and again. */
const hopeless = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
])

/** What an error of a task's life leads to: the coded error that ends the service, or a way to go on. */
function verdictOf(error: unknown): Error | 'damaged' | 'fenced' | 'refused' | 'again' {
  if (isTidemarkError(error)) {
    if (error.code === 'TM_STORE_DAMAGED') return 'damaged'
    return errorTable[error.code].retriable ? 'again' : error
  }
  // No network and no disk makes these: trying again would fail again.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError)
    return tidemarkError('TM_OPERATOR', error.message, error)
  if (error instanceof KafkaFenced) return 'fenced'
  if (!(error instanceof KafkaRefused)) return 'again'
  return hopeless.has(error.reason) ? tidemarkError('TM_REFUSED', error.message, error) : 'refused'
}
