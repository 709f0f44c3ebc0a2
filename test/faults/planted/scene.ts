import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from '../../../services/runtime/kafka/client.ts'
import type { Plan } from '../../../topologies/plan.ts'
import type { ServiceName } from '../../../topologies/topics.ts'
import type { Ledger } from '../ledger.ts'
import type { Net } from '../net/net.ts'
import type { Handle, Rule } from '../net/rules.ts'
import type { Arm, Hit, Point } from '../preload/protocol.ts'
import type { Feed } from '../rig/feed.ts'
import type { Fleet } from '../rig/fleet.ts'
import type { Random } from '../rig/random.ts'
import { heldTasks, type Recoveries } from '../rig/recovery.ts'
import type { Exit, LogLine, ServiceProcess } from '../rig/service-process.ts'
import type { Watch } from '../rig/watch.ts'

/** What a scenario acts upon. */
export interface Scene {
  readonly net: Net
  readonly fleet: Fleet
  /** Past the proxies. */
  readonly kafka: Kafka
  readonly plan: Plan
  readonly feed: Feed
  readonly ledger: Ledger
  readonly recoveries: Recoveries
  readonly watch: Watch
  readonly random: Random
  log(line: string): void
  /** A rule that ends with the scene, if not before. */
  rule(rule: Rule): Handle
  start(service: ServiceName, instance?: string): ServiceProcess
}

/** How long a fault may take to strike, and a service to recover; a machine that does neither has other worries. */
const strikeMs = 10_000
const recoverMs = 15_000

let tokens = 0

export function armAt(step: Point, stage: string | null, action: Arm['action'], nth = 1): Arm {
  tokens += 1
  return { token: tokens, step, stage, nth, action }
}

/** The first process of a service. */
export function processOf({ fleet }: Scene, service: ServiceName, instance = '0'): ServiceProcess {
  const found = fleet.of(service).find((each) => each.instance === instance)
  if (found === undefined) throw new Error(`${service}-${instance} does not run`)
  return found
}

/** kill -9 by the process itself at a point of its work; resolves when a new one has committed for all its tasks. */
export async function killAt(scene: Scene, service: ServiceName, step: Point, stage: string): Promise<void> {
  const victim = processOf(scene, service)
  victim.order({ faults: 'arm', arm: armAt(step, stage, 'kill') })
  const exit = await Promise.race([victim.ended, sleep(strikeMs)])
  if (exit === undefined) throw new Error(`${service} did not reach ${step} of ${stage}`)
  scene.log(`${service} killed itself at ${step} of ${stage}`)
  await succeed(scene, victim, exit)
}

/** kill -9; `meanwhile` happens while nobody is there. */
export async function kill(scene: Scene, service: ServiceName, meanwhile = () => {}): Promise<void> {
  const victim = processOf(scene, service)
  const exit = await scene.fleet.kill(victim)
  scene.log(`${service} was killed`)
  meanwhile()
  await succeed(scene, victim, exit)
}

/** Starts a service again and waits until it has committed for all tasks of the dead process. */
export async function succeed(scene: Scene, { service, commits }: ServiceProcess, exit: Exit): Promise<void> {
  const atMs = exit.hits.at(-1)?.atMs ?? exit.atMs
  const recovered = scene.recoveries.killed(heldTasks(commits, atMs), atMs)
  scene.start(service)
  await Promise.race([recovered, sleep(recoverMs)])
}

/** Stops a process inside a commit, and gives what it did; undefined when it did not get there. */
export async function stopAt(victim: ServiceProcess, step: Point, stage: string): Promise<Hit | undefined> {
  const arm = armAt(step, stage, 'stop')
  victim.order({ faults: 'arm', arm })
  for (const deadlineMs = performance.now() + strikeMs; performance.now() < deadlineMs; await sleep(20)) {
    const hit = victim.hits().find(({ token }) => token === arm.token)
    if (hit !== undefined) return hit
  }
  victim.order({ faults: 'disarm', token: arm.token })
  return undefined
}

/** Resolves when a process says something. */
export async function heard(
  { watch }: Scene,
  fits: (process: ServiceProcess, line: LogLine) => boolean,
): Promise<void> {
  if ((await watch.seen(fits, recoverMs)) === undefined) throw new Error('what was waited for was not said')
}

/** Puts a rule in force and resolves when it has been applied so often; it stays in force. */
export async function ruled(scene: Scene, rule: Rule, hits: number): Promise<Handle> {
  const handle = scene.rule(rule)
  await Promise.race([handle.reached(hits), sleep(strikeMs)])
  if (handle.hits < hits) throw new Error(`${handle.hits} frames met ${JSON.stringify(rule)}, not ${hits}`)
  scene.log(`${handle.hits} frames met ${JSON.stringify(rule)}`)
  return handle
}
