import type { Kafka } from '../../../services/runtime/kafka/client.ts'
import type { Topology } from '../../../topologies/compiled.ts'
import type { Plan } from '../../../topologies/plan.ts'
import type { ServiceName } from '../../../topologies/topics.ts'
import type { Net } from '../net/net.ts'
import type { Arm, Step } from '../preload/protocol.ts'
import type { Calm } from './calm.ts'
import type { CorruptionBook } from './corruption-book.ts'
import type { Fleet } from './fleet.ts'
import type { Recoveries } from './recovery.ts'
import type { LogLine, ServiceProcess } from './service-process.ts'
import type { Tally } from './tally.ts'

/** What faults act upon. */
export interface World {
  readonly nodes: 1 | 3
  readonly net: Net
  readonly fleet: Fleet
  readonly kafka: Kafka
  readonly topology: Topology
  readonly plan: Plan
  readonly tally: Tally
  readonly recoveries: Recoveries
  readonly sessionTimeoutMs: number
  readonly seed: number
  /** The processes that a service usually has. */
  readonly instances: number
  /** Settings with which a service's processes are started, beside the usual ones. */
  readonly settings: Map<ServiceName, Readonly<Record<string, string>>>
  readonly corruptions: CorruptionBook
  readonly calm: Calm
  /** No new fault begins after this, by performance.now(). */
  readonly untilMs: number
  readonly log: (line: string) => void
  /** Resolves with the first line of a process that fits, or undefined when the time is up. */
  seen(
    fits: (process: ServiceProcess, line: LogLine) => boolean,
    limitMs: number,
  ): Promise<LogLine | undefined>
  /** Resolves with the process that next commits this id, other than the given one. */
  committedElsewhere(id: string, not: ServiceProcess, limitMs: number): Promise<boolean>
}

let tokens = 0

export function newArm(step: Step, stage: string | null, nth: number, action: Arm['action']): Arm {
  tokens += 1
  return { token: tokens, step, stage, nth, action }
}
