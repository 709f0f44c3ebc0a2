import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceName } from '../../../topologies/topics.ts'
import { killAnywhere } from './kills.ts'
import type { Random } from './random.ts'
import { startAgain } from './restart.ts'
import type { World } from './world.ts'

/** A worker more for a few seconds, and then one less, which need not be the same. */
export async function scale(world: World, service: ServiceName, random: Random): Promise<void> {
  const extra = startAgain(world, service, String(world.instances))
  await Promise.race([extra.up, sleep(10_000)])
  await sleep(random.between(1_500, 3_000))
  const leaving = random.pick([extra, ...world.fleet.of(service)].filter(({ isAlive }) => isAlive))
  if (leaving === undefined) return
  await world.fleet.terminate(leaving)
  world.tally.scalings += 1
  if (leaving === extra) return
  await sleep(random.between(500, 1_500))
  // The usual instances are kept, so that every fault knows whom it can meet.
  if (extra.isAlive) await world.fleet.terminate(extra)
  await startAgain(world, service, leaving.instance).up
}

/** All processes of a service run without transactions for a while, are killed meanwhile, and go back. */
export async function runAtLeastOnce(world: World, service: ServiceName, random: Random): Promise<void> {
  world.log(`${service} runs at least once for a while`)
  world.tally.atLeastOnceRuns += 1
  await restartAll(world, service, { TIDEMARK_GUARANTEE: 'at-least-once' })
  for (let kills = 0; kills < 3 && performance.now() < world.untilMs; kills += 1) {
    await sleep(random.between(1_000, 2_500))
    await killAnywhere(world, service, random)
  }
  await restartAll(world, service, {})
  world.log(`${service} runs exactly once again`)
}

async function restartAll(
  world: World,
  service: ServiceName,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  world.settings.set(service, settings)
  for (const process of world.fleet.of(service)) {
    await world.fleet.terminate(process)
    await Promise.race([startAgain(world, service, process.instance).up, sleep(5_000)])
  }
}
