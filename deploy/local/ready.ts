import { setTimeout as sleep } from 'node:timers/promises'
import { tidemarkError } from '../../services/runtime/errors.ts'
import { lastLines } from './log-file.ts'
import type { Running } from './supervision.ts'

const patienceMs = 60_000
const pauseMs = 40

/**
 * Asks until the answer is yes. A question that fails counts as no.
 *
 * @throws TM_BROKER_AWAY with the last log lines when the program ends, or says nothing for a minute.
 */
export async function untilReady(
  what: string,
  question: () => Promise<boolean>,
  running: Running,
  logFile: string,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await question().catch(() => false))) {
    if (running.hasEnded()) {
      throw away(`${what} ended with ${await running.ended} before it was ready`, logFile)
    }
    if (performance.now() > deadline) throw away(`${what} is not ready after ${patienceMs / 1000} s`, logFile)
    await sleep(pauseMs)
  }
}

function away(what: string, logFile: string): Error {
  return tidemarkError('TM_BROKER_AWAY', `${what}; its last log lines:\n${lastLines(logFile)}`)
}
