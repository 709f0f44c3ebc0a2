import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apply } from '../../../services/cli/apply.ts'
import { connect } from '../../../services/cli/connect.ts'
import { avroWire } from '../../../services/runtime/codec/wire.ts'
import { loadTopology } from '../../../topologies/load.ts'
import { planOf } from '../../../topologies/plan.ts'
import { type AuditResult, audit } from '../audit/audit.ts'
import { openLedger } from '../ledger.ts'
import { openNet } from '../net/net.ts'
import type { Plant } from '../preload/protocol.ts'
import { writeTopology } from '../topology/write.ts'
import { createCorruptionBook } from './corruption-book.ts'
import { declareEnd, untilAllEnded } from './end.ts'
import { startFeed } from './feed.ts'
import { openFleet, startAll } from './fleet.ts'
import { holdBack } from './holding.ts'
import { runLanes } from './lanes.ts'
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
  readonly audited: AuditResult | undefined
  /** Everything that is not as it must be, apart from the audit's counts. */
  readonly failures: readonly string[]
}

const sessionTimeoutMs = 2_500

/** One cluster, one topology, its services under faults, its end, and the audit of what it left behind. */
export async function runPhase(options: PhaseOptions): Promise<PhaseResult> {
  const { folder, log } = options
  mkdirSync(folder, { recursive: true })
  const net = await openNet({ nodes: options.nodes, folder, log })
  try {
    return await runOn(net, options)
  } finally {
    await net.close()
  }
}

async function runOn(net: World['net'], options: PhaseOptions): Promise<PhaseResult> {
  const { folder, name, log, plants } = options
  const topologyPath = writeTopology(join(folder, 'topology'), name)
  const { topology, hash } = await loadTopology(topologyPath)
  const plan = planOf(topology)
  const env = { KAFKA_BROKERS: net.directBrokers, SCHEMA_REGISTRY_URL: net.registry }
  await using connection = await connect('faults', env)
  const { kafka, registry } = connection
  await apply(kafka, registry, topology, hash)
  const wire = await avroWire(registry, plan.topics)
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
      tally.deaths.push(describeDeath(process, exit))
      log(tally.deaths.at(-1)!)
    },
  })
  const ledgerFile = join(folder, 'ledger.jsonl')
  const ledger = openLedger(ledgerFile)
  await startAll(fleet, options.instances)
  log(`${name}: ${fleet.all().length} processes serve`)
  const startedMs = performance.now()
  const feed = await startFeed({
    ...{ kafka, registry, ledger, topology: name, partitions: 2 },
    ...{ seed: options.seed, perSecond: options.perSecond, log },
  })
  const untilMs = startedMs + 1_000 * options.seconds
  const stopHolding = holdBack(fleet, feed, options.perSecond, log)
  const world: World = {
    ...{ nodes: options.nodes, net, fleet, kafka, topology, plan, tally, recoveries, sessionTimeoutMs },
    ...{ instances: options.instances, settings: new Map() },
    ...{
      seed: options.seed,
      untilMs,
      log,
      corruptions,
      seen: watch.seen,
      committedElsewhere: watch.committedElsewhere,
    },
  }
  if (!options.isQuiet) await runLanes(world)
  await sleep(Math.max(0, untilMs - performance.now()))
  stopHolding()
  await feed.stop()
  const seconds = (performance.now() - startedMs) / 1_000
  log(`${name}: ${ledger.size} records in ${seconds.toFixed(0)} s; the inputs end`)
  await declareEnd(kafka, wire, topology)
  const failures: string[] = []
  const missing = await untilAllEnded(kafka, wire, topology, 180_000)
  if (missing.length > 0) failures.push(`never ended: ${missing.join(', ')}`)
  await fleet.close()
  ledger.close()
  failures.push(...tally.deaths)
  log(`${name}: audit`)
  const { brokers, registry: registryUrl } = { brokers: net.directBrokers, registry: net.registry }
  const atLeastOnceStages =
    tally.atLeastOnceRuns > 0 ? plan.services.features.stages.map((stage) => stage.name) : []
  const audited = await audit({
    ...{ brokers, registry: registryUrl, topologyPath, ledgerFile, folder: join(folder, 'dump'), log },
    atLeastOnceStages,
  }).catch((error: unknown) => {
    failures.push(`the audit failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    return undefined
  })
  return {
    ...{ tally, seconds, audited, failures, produced: ledger.size },
    proxied: net.counts().proxied,
    recoverySeconds: recoveries.seconds,
  }
}
