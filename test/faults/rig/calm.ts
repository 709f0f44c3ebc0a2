import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Keeps two kinds of faults apart: a zombie whose broker was killed meanwhile loses its connections, so that nobody can
 * tell whether it would have been refused.
 */
export interface Calm {
  isBrokerDown: boolean
  zombies: number
  /** Both wait for each other, but not for ever: the schedule has to go on. */
  untilNoZombies(): Promise<void>
  untilBrokersAreUp(): Promise<void>
}

const patienceMs = 15_000

export function createCalm(): Calm {
  const calm: Calm = {
    isBrokerDown: false,
    zombies: 0,
    untilNoZombies: () => until(() => calm.zombies === 0),
    untilBrokersAreUp: () => until(() => !calm.isBrokerDown),
  }
  return calm
}

async function until(holds: () => boolean): Promise<void> {
  for (const endMs = performance.now() + patienceMs; !holds() && performance.now() < endMs; ) await sleep(100)
}
