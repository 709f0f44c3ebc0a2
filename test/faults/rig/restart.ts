import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../../topologies/topics.ts'
import type { Arm } from '../preload/protocol.ts'
import { corrupt, corruptionKinds, keepCopy, storesIn } from './corruption.ts'
import type { Random } from './random.ts'
import { heldTasks } from './recovery.ts'
import type { Exit, ServiceProcess } from './service-process.ts'
import type { World } from './world.ts'

/** How long a fault waits for a service to be whole again before the next one comes all the same. */
const patienceMs = 8_000

export function startAgain(
  { fleet, settings }: World,
  service: ServiceName,
  instance: string,
  arms: readonly Arm[] = [],
): ServiceProcess {
  return fleet.start(service, instance, { arms, settings: settings.get(service) ?? {} })
}

/**
 * A killed process is started again in its place at once, now and then with stores that have been damaged meanwhile.
 * Resolves with the new process; `recovered` when all tasks of the dead one have committed again.
 */
export function replace(
  world: World,
  random: Random,
  dead: ServiceProcess,
  exit: Exit,
  arms: readonly Arm[] = [],
): { process: ServiceProcess; recovered: Promise<void> } {
  const { service, instance, commits } = dead
  const atMs = exit.hits.at(-1)?.atMs ?? exit.atMs
  const recovered = world.recoveries.killed(heldTasks(commits, atMs), atMs)
  disturbStores(world, random, service, instance)
  const process = startAgain(world, service, instance, arms)
  return { process, recovered: Promise.race([recovered, sleep(patienceMs, undefined, { ref: false })]) }
}

/** Damages the stores of one in three killed processes, one to four of them, each in a way of its own. */
function disturbStores(world: World, random: Random, service: ServiceName, instance: string): void {
  const state = world.fleet.stateOf(service, instance)
  const copies = join(state, '..', 'copies', `${service}-${instance}`)
  const stores = storesIn(state)
  if (stores.length === 0) return
  if (random.chance(0.4)) keepCopy(random.pick(stores), copies)
  if (!random.chance(0.33)) return
  const wanted = 1 + random.below(4)
  for (let done = 0, tries = 0; done < wanted && tries < 20; tries += 1) {
    const kind = random.pick(corruptionKinds)
    const touched = corrupt(kind, random.pick(stores), stores, copies, random)
    if (touched.length === 0) continue
    done += 1
    for (const { stageId, index } of touched) {
      world.corruptions.damaged(service, instance, stageId, index, kind)
      world.log(`${service}-${instance}: store ${stageId}/${index} ${kind}`)
    }
  }
}
