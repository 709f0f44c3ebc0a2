import { setTimeout as sleep } from 'node:timers/promises'
import { tidemarkError } from '../../services/runtime/errors.ts'

const patienceMs = 60_000
const pauseMs = 40

/** What is waited for: a process or a container. */
export interface Watched {
  hasEnded(): boolean
  /** The end of its log, for a person. */
  lastLines(): string | Promise<string>
}

/**
 * Asks until the answer is yes. A question that fails counts as no.
 *
 * @throws TM_BROKER_AWAY with the last log lines when the program ends, or when a minute has passed.
 */
export async function untilReady(
  what: string,
  question: () => Promise<boolean>,
  watched: Watched,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await question().catch(() => false))) {
    if (watched.hasEnded()) throw await away(`${what} ended before it was ready`, watched)
    if (performance.now() > deadline)
      throw await away(`${what} is not ready after ${patienceMs / 1000} s`, watched)
    await sleep(pauseMs)
  }
}

async function away(what: string, watched: Watched): Promise<Error> {
  return tidemarkError('TM_BROKER_AWAY', `${what}; its last log lines:\n${await watched.lastLines()}`)
}
