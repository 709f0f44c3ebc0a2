import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../../topologies/topics.ts'
import type { Hit, Step } from '../preload/protocol.ts'
import { aim, pickServing } from './kills.ts'
import type { Random } from './random.ts'
import type { ServiceProcess } from './service-process.ts'
import { isRefusal } from './tally.ts'
import { newArm, type World } from './world.ts'

/** In the middle of a commit that has not ended, so that what comes next must be refused. */
const pauseSteps: readonly Step[] = ['after-add-partitions', 'after-produce', 'before-add-partitions']

/**
 * Stops a process in the middle of a commit for longer than its session, until another one has committed for the same
 * task, and lets it go on. The proof that it was fenced is its own log: Kafka refused the very commit in which it was.
 */
export async function makeZombie(world: World, service: ServiceName, random: Random): Promise<void> {
  const { calm } = world
  await calm.untilBrokersAreUp()
  calm.zombies += 1
  try {
    await stopAndContinue(world, service, random)
  } finally {
    calm.zombies -= 1
  }
}

async function stopAndContinue(world: World, service: ServiceName, random: Random): Promise<void> {
  const { tally, log } = world
  const zombie = pickServing(world, service, random)
  if (zombie === undefined || world.fleet.of(service).length < 2) return
  const hit = await stopInCommit(world, zombie, random)
  if (hit === undefined) {
    tally.voidEpisodes.push(`${service} was not stopped in a commit`)
    return
  }
  const name = `${service}-${zombie.instance}`
  const isSucceeded = await world.committedElsewhere(hit.transactionalId, zombie, 20_000)
  const refused = world.seen(
    (process, line) => process === zombie && isRefusal(line, hit.transactionalId),
    10_000,
  )
  const stoppedMs = Date.now() - hit.atMs
  zombie.signal('SIGCONT')
  if (stoppedMs < world.sessionTimeoutMs) {
    tally.voidEpisodes.push(`${name} was stopped for ${stoppedMs} ms only`)
    return
  }
  tally.zombies += 1
  const proof = await refused
  if (proof !== undefined) tally.provenZombies += 1
  else if (isSucceeded) tally.voidEpisodes.push(`${name} did not say that ${hit.transactionalId} was refused`)
  else tally.voidEpisodes.push(`nobody took over ${hit.transactionalId} from ${name}`)
  log(`${name} stopped at ${hit.step} for ${stoppedMs} ms: ${proof?.reason ?? 'no refusal'}`)
}

/** It stops itself right there; what it did is known from its file, since it can say nothing. */
async function stopInCommit(world: World, zombie: ServiceProcess, random: Random): Promise<Hit | undefined> {
  const { stage, nth } = aim(zombie, random)
  const arm = newArm(random.pick(pauseSteps), stage, nth, 'stop')
  zombie.order({ faults: 'arm', arm })
  const deadlineMs = performance.now() + 5_000
  while (performance.now() < deadlineMs && zombie.isAlive) {
    const hit = zombie.hits().find(({ token }) => token === arm.token)
    if (hit !== undefined) return hit
    await sleep(20)
  }
  zombie.order({ faults: 'disarm', token: arm.token })
  await sleep(200)
  const late = zombie.hits().find(({ token }) => token === arm.token)
  if (late !== undefined) return late
  world.log(`${zombie.service}-${zombie.instance} did not reach ${arm.step}`)
  return undefined
}
