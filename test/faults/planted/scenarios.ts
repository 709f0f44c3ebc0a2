import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { countRecords } from '../../../services/cli/read-all.ts'
import { connectKafka } from '../../../services/runtime/kafka/client.ts'
import type { ServiceName } from '../../../topologies/topics.ts'
import type { Plant } from '../preload/protocol.ts'
import { storesIn } from '../rig/corruption.ts'
import { pointAt } from './bug.ts'
import { changeStores } from './changed-stores.ts'
import { producePoison } from './poison.ts'
import { heard, kill, killAt, processOf, ruled, type Scene, stopAt, succeed } from './scene.ts'

export type ScenarioName =
  | 'kills-in-commits'
  | 'kills-without-transactions'
  | 'silence-and-zombies'
  | 'late-commit'
  | 'aborted-transactions'
  | 'broken-connections'
  | 'stores'
  | 'leader-kills'

/** Faults that are aimed: the same each time, and where it hurts. */
export interface Scenario {
  readonly nodes: 1 | 3
  /** Processes per service; one unless said. */
  readonly instances?: Partial<Record<ServiceName, number>>
  readonly settings?: Readonly<Record<string, string>>
  /** Services that run without transactions, by `settings`. */
  readonly atLeastOnce?: ServiceName
  /** Points for services that stand nowhere in their source; a bug that rewrites the place brings its own. */
  readonly points?: readonly Plant[]
  play(scene: Scene): Promise<void>
}

const client = 'tidemark-features'

export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  'kills-in-commits': {
    nodes: 1,
    async play(scene) {
      // Written, and not committed: what the store holds must not know of it.
      await killAt(scene, 'features', 'after-produce', 'entity-shop-v1')
      // Committed, and not in the store: the tail of the changelog.
      for (const stage of [
        'entity-shop-v1',
        'ingest-v1',
        'entity-shop-v1',
        'entity-shop-v1',
        'entity-shop-v1',
      ])
        await killAt(scene, 'features', 'after-end-txn', stage)
      await Promise.all([kill(scene, 'outcomes'), kill(scene, 'reports')])
    },
  },
  'kills-without-transactions': {
    nodes: 1,
    atLeastOnce: 'features',
    settings: { TIDEMARK_GUARANTEE: 'at-least-once' },
    points: [
      {
        file: '/services/runtime/kafka/writer.ts',
        find: 'if (seal === undefined) return written',
        replace: `if (seal === undefined) return written
    ${pointAt('between-writes', 'options.transactionalId')}`,
      },
    ],
    async play(scene) {
      await killAt(scene, 'features', 'between-writes', 'ingest-v1')
      await killAt(scene, 'features', 'between-writes', 'entity-shop-v1')
      await killAt(scene, 'features', 'between-writes', 'ingest-v1')
    },
  },
  'silence-and-zombies': { nodes: 1, instances: { features: 2 }, play: silenceAndZombies },
  'late-commit': { nodes: 1, play: lateCommit },
  'aborted-transactions': { nodes: 1, play: abortedTransactions },
  'broken-connections': { nodes: 1, play: brokenConnections },
  stores: { nodes: 1, play: stores },
  'leader-kills': { nodes: 3, play: leaderKills },
}

async function silenceAndZombies(scene: Scene): Promise<void> {
  const { feed, log } = scene
  feed.hold(true)
  await sleep(3_000)
  feed.hold(false)
  await sleep(2_000)
  for (const instance of ['0', '1']) {
    const zombie = processOf(scene, 'features', instance)
    const hit = await stopAt(zombie, 'after-produce', 'ingest-v1')
    if (hit === undefined) throw new Error(`features-${instance} was not stopped in a commit`)
    await heard(
      scene,
      (process, { msg, task }) =>
        process !== zombie && msg === 'restored' && task?.startsWith('ingest') === true,
    )
    await sleep(1_500)
    zombie.signal('SIGCONT')
    log(`features-${instance} goes on after ${Date.now() - hit.atMs} ms`)
    await sleep(2_000)
  }
}

/** The order that random faults miss: end asked for, commit of the predecessor, fence. */
async function lateCommit(scene: Scene): Promise<void> {
  const { fleet, log } = scene
  for (let round = 0; round < 2; round += 1) {
    const ends = await ruled(scene, { api: 'EndTxn', side: 'request', action: 'hold', client }, 4)
    const fences = scene.rule({ api: 'InitProducerId', side: 'request', action: 'hold', client })
    const victim = processOf(scene, 'features')
    const exit = await fleet.kill(victim)
    const recovered = succeed(scene, victim, exit)
    await Promise.race([fences.reached(4), sleep(20_000)])
    await sleep(500)
    log(`${ends.hits} commits arrive late, before ${fences.hits} fences`)
    ends.remove()
    await sleep(1_000)
    fences.remove()
    await recovered
  }
}

async function abortedTransactions(scene: Scene): Promise<void> {
  await strangersTransaction(scene)
  for (let round = 0; round < 3; round += 1) {
    // Several transactions have written to the same partitions and end, by the fence of their successors, in any order.
    const ends = await ruled(scene, { api: 'EndTxn', side: 'request', action: 'drop', client }, 5)
    const victim = processOf(scene, 'features')
    const exit = await scene.fleet.kill(victim)
    ends.remove()
    await succeed(scene, victim, exit)
  }
}

/** Somebody else's records in a user's topic, under a key of four zero bytes, in a transaction that is aborted. */
async function strangersTransaction({ net, plan, rule, log }: Scene): Promise<void> {
  const topic = `${plan.topology}.visits`
  const brokers = net.brokers.split(',')
  const kafka = connectKafka({ brokers, clientId: 'stranger', requestTimeoutMs: 1_500 })
  const options = { transactionalId: `${plan.topology}.stranger` }
  const lost = rule({ api: 'EndTxn', side: 'request', action: 'drop', client: 'stranger' })
  const records = Array.from({ length: 20 }, (_, number) => ({
    key: Buffer.alloc(4),
    value: visitOf(number),
  }))
  const batches = Array.from({ length: plan.partitions }, (_, partition) => ({ topic, partition, records }))
  const writer = await kafka.writer(options)
  const isCommitted = await writer.commit(batches).then(
    () => true,
    () => false,
  )
  await writer.close()
  lost.remove()
  if (isCommitted) throw new Error('the transaction of a stranger was to be aborted')
  // Its successor has the transaction aborted.
  await (await kafka.writer(options)).close()
  await kafka.close()
  log(`a stranger's transaction was aborted`)
}

function visitOf(number: number): Buffer {
  const visit = `V9${String(number).padStart(7, '0')}`
  const value = { visit, entered: Date.now(), shop: 'S000', party: 2, wait: 1, bought: true }
  return Buffer.from(JSON.stringify(value))
}

async function brokenConnections(scene: Scene): Promise<void> {
  let seed = 0
  const stopPoison = producePoison(scene)
  try {
    for (const [api, side] of [
      ['Produce', 'request'],
      ['Produce', 'answer'],
      ['EndTxn', 'request'],
      ['EndTxn', 'answer'],
    ] as const) {
      seed += 1
      const rule = { api, side, action: 'reset', client, share: 0.2, times: 12, seed } as const
      const handle = await ruled(scene, rule, 12)
      handle.remove()
      await sleep(1_500)
    }
  } finally {
    await stopPoison()
  }
}

/** A compacted changelog and no store; then a store whose values have changed behind its checksums. */
async function stores(scene: Scene): Promise<void> {
  const { fleet, kafka, plan, log } = scene
  const { topic, partitions } = plan.services.features.stages.find(({ entity }) => entity !== null)!.changelog
  const admin = await kafka.admin()
  await admin.alterConfigs(topic, eager)
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  for (const deadlineMs = performance.now() + 20_000; ; await sleep(1_000)) {
    const ends = await admin.endOffsets(places, 'committed')
    const end = [...ends.values()].reduce((sum, each) => sum + each, 0)
    const left = await countRecords(kafka, topic)
    log(`${left} records are left below offset ${end}`)
    if (end > 1_000 && left < end / 2) break
    if (performance.now() > deadlineMs) throw new Error(`${topic} was not compacted`)
  }
  await admin.close()
  const state = fleet.stateOf('features', '0')
  const owned = () => storesIn(state).filter(({ stageId }) => stageId.startsWith('entity-'))
  await kill(scene, 'features', () => {
    for (const { path } of owned()) rmSync(path, { recursive: true })
  })
  await sleep(3_000)
  const victim = processOf(scene, 'features')
  const exit = await fleet.kill(victim)
  const changed = await changeStores(owned().map(({ path }) => path))
  log(`${changed} values of stores were changed`)
  if (changed === 0) throw new Error('the stores hold nothing that could be changed')
  await succeed(scene, victim, exit)
}

const eager = {
  'segment.ms': '100',
  'min.cleanable.dirty.ratio': '0.001',
  'min.compaction.lag.ms': '0',
  'max.compaction.lag.ms': '1',
  'delete.retention.ms': '0',
}

async function leaderKills({ net, plan, log }: Scene): Promise<void> {
  const journal = `${plan.topology}.shop-journal`
  for (let round = 0; round < 2; round += 1) {
    const node = await net.leaderOf(journal, round % plan.partitions)
    log(`broker ${node} is killed`)
    await net.killNode(node)
    await sleep(8_000)
    await net.restartNode(node)
    log(`broker ${node} is back`)
    await sleep(4_000)
  }
}
