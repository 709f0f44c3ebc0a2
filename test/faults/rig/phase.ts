import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apply } from '../../../services/cli/apply.ts'
import { type Connection, connect } from '../../../services/cli/connect.ts'
import { avroWire } from '../../../services/runtime/codec/wire.ts'
import { errorTable, isTidemarkError } from '../../../services/runtime/errors.ts'
import type { Wire } from '../../../services/runtime/wire.ts'
import { type LoadedTopology, loadTopology } from '../../../topologies/load.ts'
import { type Plan, planOf } from '../../../topologies/plan.ts'
import { serviceNames } from '../../../topologies/topics.ts'
import type { AuditResult } from '../audit/audit.ts'
import { type Ledger, openLedger } from '../ledger.ts'
import { type Net, openNet } from '../net/net.ts'
import type { Plant } from '../preload/protocol.ts'
import { writeTopology } from '../topology/write.ts'
import { createCalm } from './calm.ts'
import { createCorruptionBook } from './corruption-book.ts'
import { declareEnd, untilAllEnded, wrongBooks } from './end.ts'
import { startFeed } from './feed.ts'
import { openFleet, startAll } from './fleet.ts'
import { holdBack } from './holding.ts'
import { killAnywhere } from './kills.ts'
import { runLanes } from './lanes.ts'
import { randomOf } from './random.ts'
import { createRecoveries } from './recovery.ts'
import { countLine, describeDeath, newTally, type Tally } from './tally.ts'
import { createWatch } from './watch.ts'
import type { World } from './world.ts'

export interface PhaseOptions {
  readonly name: string
  readonly nodes: 1 | 3
  readonly seconds: number
  readonly seed: number
  readonly perSecond: number
  readonly instances: number
  readonly isQuiet: boolean
  readonly plants: readonly Plant[]
  readonly folder: string
  log(line: string): void
}

export interface PhaseResult {
  readonly tally: Tally
  readonly produced: number
  readonly seconds: number
  readonly proxied: number
  readonly recoverySeconds: readonly number[]
  readonly corruptionKinds: ReadonlyMap<string, number>
  readonly audited: AuditResult | undefined
  /** Everything that is not as it must be, apart from the audit's counts. */
  readonly failures: readonly string[]
}

const sessionTimeoutMs = 2_500

/** How long the services may take to work off what is left and to end. */
const endingMs = 240_000

/** What stays the same from the first record to the audit. */
interface Stage {
  readonly options: PhaseOptions
  readonly net: Net
  readonly connection: Connection
  readonly wire: Wire
  readonly loaded: LoadedTopology
  readonly plan: Plan
  readonly topologyPath: string
  readonly ledgerFile: string
}

/** One cluster, one topology, its services under faults, its end, and the audit of what it left behind. */
export async function runPhase(options: PhaseOptions): Promise<PhaseResult> {
  const { folder, name, nodes, log } = options
  mkdirSync(folder, { recursive: true })
  const net = await openNet({ nodes, folder: join(folder, 'kafka'), log })
  try {
    const topologyPath = writeTopology(join(folder, 'topology'), name)
    const loaded = await loadTopology(topologyPath)
    const plan = planOf(loaded.topology)
    const env = { KAFKA_BROKERS: net.directBrokers, SCHEMA_REGISTRY_URL: net.directRegistry }
    await using connection = await connect('faults', env)
    await patiently(() => apply(connection.kafka, connection.registry, loaded.topology, loaded.hash))
    const wire = await patiently(() => avroWire(connection.registry, plan.topics))
    const ledgerFile = join(folder, 'ledger.jsonl')
    const ledger = openLedger(ledgerFile)
    const stage = { options, net, connection, wire, loaded, plan, topologyPath, ledgerFile }
    try {
      return await play(stage, ledger)
    } finally {
      ledger.close()
    }
  } finally {
    await net.close()
  }
}

/** A registry on a busy machine answers before it can do anything. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const deadlineMs = performance.now() + 60_000; ; await sleep(500)) {
    try {
      return await work()
    } catch (error) {
      const isPassing = isTidemarkError(error) && errorTable[error.code].retriable
      if (!isPassing || performance.now() > deadlineMs) throw error
    }
  }
}

async function play(stage: Stage, ledger: Ledger): Promise<PhaseResult> {
  const { options, net, connection, wire, loaded } = stage
  const { log, name } = options
  const world = await openWorld(stage)
  const { tally, fleet, recoveries, corruptions } = world
  const startedMs = performance.now()
  try {
    await feedUnderFaults({ ...world, untilMs: startedMs + 1_000 * options.seconds }, stage, ledger)
    const seconds = (performance.now() - startedMs) / 1_000
    log(`${name}: ${ledger.size} records in ${seconds.toFixed(0)} s; the inputs end`)
    await declareEnd(connection.kafka, wire, loaded.topology)
    if (!options.isQuiet) await killOnceMore(world)
    const missing = await untilAllEnded(connection.kafka, wire, loaded.topology, endingMs)
    await fleet.close()
    const failures = [...tally.deaths]
    if (missing.length > 0) failures.push(`never ended: ${missing.join(', ')}`)
    const audited = await auditRun(stage, tally, failures)
    return {
      ...{ tally, seconds, audited, failures, produced: ledger.size },
      proxied: net.counts().proxied,
      recoverySeconds: recoveries.seconds,
      corruptionKinds: corruptions.kinds,
    }
  } finally {
    fleet.abandon()
  }
}

/** All services up, with what watches them. */
async function openWorld({ options, net, connection, loaded, plan, topologyPath }: Stage): Promise<World> {
  const { folder, log, plants, instances, seed, nodes } = options
  const tally = newTally()
  const recoveries = createRecoveries()
  const watch = createWatch()
  const corruptions = createCorruptionBook(plan, tally)
  const fleet = openFleet({
    ...{ plan, topologyPath, folder, sessionTimeoutMs, plants },
    ...{ brokers: net.brokers, registry: net.registry },
    onLine(process, line) {
      countLine(tally, line)
      corruptions.line(process, line)
      watch.line(process, line)
    },
    onCommits(process, commits) {
      recoveries.committed(commits)
      watch.commits(process, commits)
    },
    onDeath(process, exit) {
      const death = describeDeath(process, exit)
      tally.deaths.push(death)
      log(death)
    },
  })
  await startAll(fleet, instances)
  log(`${options.name}: ${fleet.all().length} processes serve`)
  return {
    ...{ nodes, net, fleet, tally, recoveries, corruptions, sessionTimeoutMs, seed, instances, log },
    ...{ kafka: connection.kafka, topology: loaded.topology, plan, settings: new Map(), untilMs: 0 },
    calm: createCalm(),
    ...{ seen: watch.seen, committedElsewhere: watch.committedElsewhere },
  }
}

async function feedUnderFaults(world: World, { options, connection }: Stage, ledger: Ledger): Promise<void> {
  const { name, seed, perSecond, log } = options
  const { kafka, registry } = connection
  const feed = await startFeed({
    ...{ kafka, registry, ledger, topology: name, partitions: world.plan.partitions, seed, perSecond, log },
  })
  const stopHolding = holdBack(world.fleet, feed, perSecond, log)
  try {
    if (!options.isQuiet) await runLanes(world)
    await sleep(Math.max(0, world.untilMs - performance.now()))
  } finally {
    stopHolding()
    await feed.stop()
  }
}

/** The end of the inputs is no time of peace either. */
async function killOnceMore(world: World): Promise<void> {
  const random = randomOf(world.seed, `ending ${world.nodes}`)
  await Promise.all(serviceNames.map((service) => killAnywhere(world, service, random)))
}

/** The auditor's count, and the books, which the runtime's own reader adds up beside it. */
async function auditRun(
  { options, net, connection, wire, loaded, plan, topologyPath, ledgerFile }: Stage,
  tally: Tally,
  failures: string[],
): Promise<AuditResult | undefined> {
  const { log, folder, name } = options
  log(`${name}: audit`)
  const isRepeating = tally.atLeastOnceRuns > 0
  try {
    if (!isRepeating) failures.push(...(await wrongBooks(connection.kafka, wire, loaded.topology)))
    const { audit } = await import('../audit/audit.ts')
    const result = await audit({
      ...{ brokers: net.directBrokers, registry: net.directRegistry, topologyPath, ledgerFile, log },
      folder: join(folder, 'dump'),
      atLeastOnceStages: isRepeating ? plan.services.features.stages.map((each) => each.name) : [],
    })
    return result
  } catch (error) {
    failures.push(`the audit failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    return undefined
  }
}
