import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceName, serviceNames } from '../../../topologies/topics.ts'
import { type Step, steps } from '../preload/protocol.ts'
import { disturbConnections, disturbRegistry, freezeBroker, restartBroker } from './cluster-faults.ts'
import { beginningSteps, killAll, killAnywhere, killAtStep } from './kills.ts'
import { type Random, randomOf } from './random.ts'
import { startAgain } from './restart.ts'
import { runAtLeastOnce, scale } from './scaling.ts'
import type { World } from './world.ts'
import { makeZombie } from './zombies.ts'

type Fault = (world: World, random: Random) => Promise<void>

/** One lane of faults per service and one for the cluster, side by side, each with rests, until the time is up. */
export async function runLanes(world: World): Promise<void> {
  const lanes = serviceNames.map((service) => serviceLane(world, service))
  await Promise.all([...lanes, clusterLane(world)])
}

async function serviceLane(world: World, service: ServiceName): Promise<void> {
  const random = randomOf(world.seed, `lane ${world.nodes} ${service}`)
  const begunMs = performance.now()
  const halfMs = (begunMs + world.untilMs) / 2
  let isAtLeastOnceDue = service === 'features' && world.nodes === 1
  let deck: Fault[] = []
  const isOver = overtimeOf(world, service, begunMs)
  while (!isOver()) {
    await sleep(random.between(300, 1_500))
    await makeWhole(world, service)
    if (isAtLeastOnceDue && performance.now() > halfMs) {
      isAtLeastOnceDue = false
      await runAtLeastOnce(world, service, random)
      continue
    }
    if (deck.length === 0) deck = serviceDeck(service, random)
    await deck.pop()!(world, random)
  }
  await makeWhole(world, service)
}

/** The time is up; a service that was not yet killed often enough at some step has a third of the time more. */
function overtimeOf(world: World, service: ServiceName, begunMs: number): () => boolean {
  const givenMs = world.untilMs - begunMs
  const wanted = Math.ceil((killsWanted * givenMs) / fullRunMs - 0.01)
  const missing = () =>
    steps.some((step) => (world.tally.killsByStep.get(`${service}/${step}`) ?? 0) < wanted)
  return () => {
    const leftMs = world.untilMs - performance.now()
    return leftMs < -givenMs / 3 || (leftMs < 0 && (givenMs < shortRunMs || !missing()))
  }
}

/** At every step of every service, in a run of ten minutes. */
const killsWanted = 5
const fullRunMs = 600_000
/** Below this a phase asks for no overtime. */
const shortRunMs = 120_000

/** Six kills, one zombie, and one of the rest; then the deck is dealt anew. */
function serviceDeck(service: ServiceName, random: Random): Fault[] {
  const kill: Fault = (world) => killWhereMissing(world, service, random)
  const rest = random.pick<Fault>([
    (world) => scale(world, service, random),
    (world) => killAnywhere(world, service, random),
    (world) => killAll(world, service, random),
  ])
  const cards = shuffled([...Array.from({ length: 6 }, () => kill), rest], random)
  // Among the first cards, which are dealt from the end, so that a short run has its zombies too.
  cards.splice(cards.length - random.below(3), 0, (world) => makeZombie(world, service, random))
  return cards
}

/** At the step that has had the fewest kills so far; with a second kill when steps of a beginning are behind. */
async function killWhereMissing(world: World, service: ServiceName, random: Random): Promise<void> {
  const count = (step: Step) => world.tally.killsByStep.get(`${service}/${step}`) ?? 0
  const rarest = (of: readonly Step[]) => shuffled(of, random).sort((a, b) => count(a) - count(b))[0]!
  const step = rarest(steps.filter((each) => !beginningSteps.includes(each)))
  const then = rarest(beginningSteps)
  await killAtStep(world, service, random, step, count(then) <= count(step) ? then : undefined)
}

async function clusterLane(world: World): Promise<void> {
  const random = randomOf(world.seed, `lane ${world.nodes} cluster`)
  let deck: Fault[] = []
  while (performance.now() < world.untilMs) {
    await sleep(random.between(1_000, 3_000))
    if (deck.length === 0) deck = clusterDeck(world.nodes, random)
    await deck.pop()!(world, random)
  }
}

function clusterDeck(nodes: 1 | 3, random: Random): Fault[] {
  const rest = nodes === 1 ? [disturbRegistry] : [disturbRegistry, freezeBroker]
  const cards = shuffled([...Array.from({ length: 6 }, () => disturbConnections), ...rest], random)
  cards.splice(cards.length - random.below(3), 0, restartBroker)
  return cards
}

/** Whoever is missing of the usual processes comes back: a fault may have found none to begin with. */
async function makeWhole(world: World, service: ServiceName): Promise<void> {
  for (let instance = 0; instance < world.instances; instance += 1) {
    const isThere = world.fleet.of(service).some((each) => each.instance === String(instance))
    if (!isThere) startAgain(world, service, String(instance))
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const keyed = items.map((item) => [random.share(), item] as const)
  return keyed.sort(([a], [b]) => a - b).map(([, item]) => item)
}
