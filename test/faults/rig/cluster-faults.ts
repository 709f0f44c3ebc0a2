import { setTimeout as sleep } from 'node:timers/promises'
import type { Rule } from '../net/rules.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** kill -9 of the one broker there is, or of the leader of some partition, and its restart. */
export async function restartBroker(world: World, random: Random): Promise<void> {
  const { net, tally, log } = world
  await world.calm.untilNoZombies()
  world.calm.isBrokerDown = true
  const node = await someLeader(world, random)
  log(`broker ${node} is killed`)
  await net.killNode(node)
  // With others left it mostly stays away until they have noticed, and leaders have moved.
  const isLong = world.nodes === 3 && random.chance(0.7)
  await sleep(isLong ? random.between(5_000, 8_000) : random.between(200, 2_500))
  await net.restartNode(node)
  tally.brokerRestarts += 1
  world.calm.isBrokerDown = false
  log(`broker ${node} is back`)
}

/** A leader that neither answers nor goes away, for so long that others take its place or nearly so. */
export async function freezeBroker(world: World, random: Random): Promise<void> {
  const node = await someLeader(world, random)
  world.log(`broker ${node} is frozen`)
  await world.net.freezeNode(node)
  await sleep(random.between(1_000, 7_000))
  await world.net.thawNode(node)
}

async function someLeader({ net, plan }: World, random: Random): Promise<number> {
  const { name, partitions } = random.pick(plan.topics)
  return net.leaderOf(name, random.below(partitions))
}

/** What a proxied connection suffers: answers to EndTxn and Produce above all, since they say what is committed. */
export async function disturbConnections(world: World, random: Random): Promise<void> {
  const rule = drawRule(random)
  const handle = world.net.rule(rule)
  world.log(`proxy: ${JSON.stringify(rule)}`)
  await sleep(random.between(2_000, 5_000))
  handle.remove()
  if (handle.hits === 0) world.tally.voidEpisodes.push(`no frame met ${JSON.stringify(rule)}`)
}

function drawRule(random: Random): Rule {
  const seed = random.below(2 ** 31)
  const vital = random.pick([
    'EndTxn',
    'EndTxn',
    'Produce',
    'Produce',
    'AddPartitionsToTxn',
    'InitProducerId',
  ] as const)
  return random.pick([
    // A client waits long for an answer that never comes, so few of them are dropped.
    (): Rule => ({
      api: vital,
      side: 'answer',
      action: 'drop',
      times: 1 + random.below(2),
      share: 0.2,
      seed,
    }),
    (): Rule => ({
      api: vital,
      side: 'answer',
      action: 'reset',
      times: 1 + random.below(4),
      share: 0.2,
      seed,
    }),
    (): Rule => ({ api: vital, side: 'answer', action: 'delay', ms: random.below(1_500), share: 0.2, seed }),
    (): Rule => ({ api: vital, side: 'request', action: 'delay', ms: random.below(1_500), share: 0.2, seed }),
    (): Rule => ({
      api: vital,
      side: 'request',
      action: 'reset',
      times: 1 + random.below(4),
      share: 0.2,
      seed,
    }),
    (): Rule => ({ api: vital, side: 'answer', action: 'cut', times: 1 + random.below(4), share: 0.2, seed }),
    (): Rule => ({ api: vital, side: 'answer', action: 'half-close', times: 1, share: 0.2, seed }),
    (): Rule => ({
      api: 'Fetch',
      side: 'answer',
      action: 'reset',
      times: 1 + random.below(6),
      share: 0.1,
      seed,
    }),
    (): Rule => ({
      api: 'Heartbeat',
      side: 'answer',
      action: 'delay',
      ms: 1_000 + random.below(2_500),
      seed,
    }),
    (): Rule => ({ api: 'any', side: 'answer', action: 'delay', ms: random.below(300), share: 0.05, seed }),
  ])()
}

/**
 * The registry is away, or answers what no registry would; services that start meanwhile wait for it. An answer that is
 * well-formed and wrong is left out: nobody who reads with a schema can know that it is another one.
 */
export async function disturbRegistry(world: World, random: Random): Promise<void> {
  const { net, tally, log } = world
  const how = random.pick(['refuse', 'hang', 'status-500', 'html', 'broken-json'] as const)
  log(`registry: ${how}`)
  if (how === 'refuse' || how === 'hang') await net.registryDown(how)
  else net.registryRubbish(how)
  await sleep(random.between(2_000, 5_000))
  net.registryRubbish(false)
  await net.registryUp()
  tally.registryOutages += 1
}
