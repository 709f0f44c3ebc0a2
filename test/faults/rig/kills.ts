import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../../topologies/topics.ts'
import { stageOf } from '../preload/points.ts'
import type { Step } from '../preload/protocol.ts'
import type { Random } from './random.ts'
import { heldTasks } from './recovery.ts'
import { replace } from './restart.ts'
import type { Exit, ServiceProcess } from './service-process.ts'
import { countKill } from './tally.ts'
import { newArm, type World } from './world.ts'

/** Steps that only a task that begins reaches: they are armed in the process that takes a killed one's place. */
export const beginningSteps: readonly Step[] = ['after-fence', 'in-restore']

/** How long an armed process may take to reach its step. */
const limitMs = 8_000

/** kill -9 by the process itself at a step of a commit, and then, if told, again while its successor begins. */
export async function killAtStep(
  world: World,
  service: ServiceName,
  random: Random,
  step: Step,
  then?: Step,
): Promise<void> {
  const victim = pickServing(world, service, random)
  if (victim === undefined) return
  const exit = await untilItKillsItself(world, random, victim, step)
  if (exit === undefined) {
    world.tally.voidEpisodes.push(`${service} did not reach ${step}`)
    return
  }
  await succeed(world, random, victim, exit, then)
}

/** kill -9 at any moment. */
export async function killAnywhere(
  world: World,
  service: ServiceName,
  random: Random,
  then?: Step,
): Promise<void> {
  const victim = pickServing(world, service, random)
  if (victim === undefined) return
  const exit = await world.fleet.kill(victim)
  countKill(world.tally, service, 'random')
  await succeed(world, random, victim, exit, then)
}

/** kill -9 of all processes of a service: nobody is left to take over, and whoever comes restores everything. */
export async function killAll(world: World, service: ServiceName, random: Random): Promise<void> {
  const victims = world.fleet.of(service)
  const exits = await Promise.all(victims.map((victim) => world.fleet.kill(victim)))
  const replaced = victims.map((victim, index) => {
    countKill(world.tally, service, 'random')
    return replace(world, random, victim, exits[index]!)
  })
  await Promise.all(replaced.map(({ recovered }) => recovered))
}

/** Starts a killed process again; when told, its successor kills itself at the beginning step, and has one in turn. */
async function succeed(
  world: World,
  random: Random,
  victim: ServiceProcess,
  exit: Exit,
  then: Step | undefined,
): Promise<void> {
  if (then === undefined) return replace(world, random, victim, exit).recovered
  const { service } = victim
  // Whoever takes over a task of the dead one reaches the step: its successor, or one that is there already.
  const heirs = world.fleet.of(service).map((heir) => ({ heir, arm: newArm(then, null, 1, 'kill') }))
  for (const { heir, arm } of heirs) heir.order({ faults: 'arm', arm })
  const arm = newArm(then, null, 1, 'kill')
  heirs.push({ heir: replace(world, random, victim, exit, [arm]).process, arm })
  const dead = heirs.map(async ({ heir }) => ({ heir, end: await heir.ended }))
  const first = await Promise.race([...dead, sleep(limitMs + 4_000)])
  for (const each of heirs) each.heir.order({ faults: 'disarm', token: each.arm.token })
  // A second one may have been on its way.
  await sleep(300)
  if (first === undefined) world.tally.voidEpisodes.push(`${service} did not reach ${then}`)
  const replaced = heirs
    .filter(({ heir }) => !heir.isAlive)
    .map(async ({ heir }) => {
      const end = await heir.ended
      if (end.hits.length > 0) countKill(world.tally, service, then)
      await replace(world, random, heir, end).recovered
    })
  await Promise.all(replaced)
}

async function untilItKillsItself(
  world: World,
  random: Random,
  victim: ServiceProcess,
  step: Step,
): Promise<Exit | undefined> {
  const { stage, nth } = aim(victim, random)
  // The stage that was chosen may have gone to another process meanwhile: then any stage will do.
  for (const arm of [newArm(step, stage, nth, 'kill'), newArm(step, null, 1, 'kill')]) {
    victim.order({ faults: 'arm', arm })
    const exit = await Promise.race([victim.ended, sleep(limitMs)])
    if (exit !== undefined) {
      if (exit.hits.length > 0) countKill(world.tally, victim.service, step)
      return exit
    }
    victim.order({ faults: 'disarm', token: arm.token })
  }
  // It may have been on its way when the order to leave off came.
  const exit = await Promise.race([victim.ended, sleep(300)])
  if (exit !== undefined && exit.hits.length > 0) countKill(world.tally, victim.service, step)
  return exit ?? undefined
}

/** One of the stages that are at work in a process, and a commit of the next half second or so. */
export function aim(process: ServiceProcess, random: Random): { stage: string | null; nth: number } {
  const ids = heldTasks(process.commits, Date.now())
  if (ids.length === 0) return { stage: null, nth: 1 }
  const stage = random.pick([...new Set(ids.map(stageOf))])
  const perSecond = ids
    .filter((id) => stageOf(id) === stage)
    .reduce((sum, id) => sum + (process.rates.get(id) ?? 0), 0)
  return { stage, nth: 1 + random.below(Math.max(1, Math.min(30, Math.floor(perSecond / 2)))) }
}

export function pickServing(
  { fleet }: World,
  service: ServiceName,
  random: Random,
): ServiceProcess | undefined {
  const serving = fleet.of(service).filter(({ port }) => port !== undefined)
  return serving.length === 0 ? undefined : random.pick(serving)
}
