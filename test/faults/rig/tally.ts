import type { ServiceName } from '../../../topologies/topics.ts'
import type { Step } from '../preload/protocol.ts'
import type { Exit, LogLine, ServiceProcess } from './service-process.ts'

/** What has happened in a run so far: counted by the rig, apart from what the auditor finds. */
export interface Tally {
  /** By `<service>/<step>`; `random` is a step here. */
  readonly killsByStep: Map<string, number>
  zombies: number
  /** Zombies whose own log says that Kafka refused the commit in which they had been stopped. */
  provenZombies: number
  /** Commits that Kafka refused because a successor had fenced their writer. */
  fencedCommits: number
  restores: number
  corruptions: number
  /** Stores that a service said aloud to be damaged, and rebuilt. */
  damagedStores: number
  brokerRestarts: number
  registryOutages: number
  scalings: number
  atLeastOnceRuns: number
  /** Faults that were scheduled and did not bite, each with why. */
  readonly voidEpisodes: string[]
  /** Processes that ended by themselves. */
  readonly deaths: string[]
}

export function newTally(): Tally {
  return {
    killsByStep: new Map(),
    ...{ zombies: 0, provenZombies: 0, fencedCommits: 0, restores: 0, corruptions: 0, damagedStores: 0 },
    ...{ brokerRestarts: 0, registryOutages: 0, scalings: 0, atLeastOnceRuns: 0 },
    ...{ voidEpisodes: [], deaths: [] },
  }
}

export function countKill(tally: Tally, service: ServiceName, step: Step | 'random'): void {
  const key = `${service}/${step}`
  tally.killsByStep.set(key, (tally.killsByStep.get(key) ?? 0) + 1)
}

export function killsOf(tally: Tally): number {
  return [...tally.killsByStep.values()].reduce((sum, count) => sum + count, 0)
}

const refusedCommit = /failed in (add-partitions|produce|end) \((INVALID_PRODUCER_EPOCH|PRODUCER_FENCED)\)/

/** Whether a line is the refusal of a commit; of the given transactional id, if one is given. */
export function isRefusal({ msg, reason = '' }: LogLine, transactionalId?: string): boolean {
  if (msg !== 'fenced' || !refusedCommit.test(reason)) return false
  return transactionalId === undefined || reason.includes(`commit of ${transactionalId} `)
}

export function countLine(tally: Tally, line: LogLine): void {
  if (isRefusal(line)) tally.fencedCommits += 1
  if (line.msg === 'restored') tally.restores += 1
  if (line.msg.startsWith('the local store was')) tally.damagedStores += 1
}

export function describeDeath({ service, instance, pid }: ServiceProcess, exit: Exit): string {
  const how = exit.signal ?? `exit code ${exit.code}`
  return [
    `${service}-${instance} (${pid}) ended by itself with ${how}:`,
    ...exit.lastLines.slice(-6).map((line) => line.slice(0, 300)),
  ].join('\n  ')
}
