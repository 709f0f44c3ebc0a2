import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { apply } from '../../../services/cli/apply.ts'
import { avroWire } from '../../../services/runtime/codec/wire.ts'
import type { Wire } from '../../../services/runtime/wire.ts'
import { type LoadedTopology, loadTopology } from '../../../topologies/load.ts'
import { type Plan, planOf } from '../../../topologies/plan.ts'
import { type ServiceName, serviceNames } from '../../../topologies/topics.ts'
import { type AuditResult, audit } from '../audit/audit.ts'
import { type Ledger, openLedger } from '../ledger.ts'
import type { Handle, Rule } from '../net/rules.ts'
import type { Plant } from '../preload/protocol.ts'
import { declareEnd, untilAllEnded } from '../rig/end.ts'
import { startFeed } from '../rig/feed.ts'
import { openFleet } from '../rig/fleet.ts'
import { randomOf } from '../rig/random.ts'
import { createRecoveries } from '../rig/recovery.ts'
import { describeDeath } from '../rig/tally.ts'
import { createWatch } from '../rig/watch.ts'
import { writeTopology } from '../topology/write.ts'
import type { Ground } from './ground.ts'
import type { Scenario } from './scenarios.ts'
import type { Scene } from './scene.ts'

export interface RunOptions {
  readonly ground: Ground
  /** Of the run's own topics. */
  readonly name: string
  readonly seed: number
  readonly scenario: Scenario
  readonly plants: readonly Plant[]
  readonly folder: string
  log(line: string): void
}

export interface Played {
  readonly audited: AuditResult | undefined
  /** Whatever kept the run from being one: processes that ended by themselves, tasks that never ended. */
  readonly failures: readonly string[]
}

/** Low, so that a run costs little; every commit still has something to lose. */
const perSecond = 150
const sessionTimeoutMs = 2_500
/** What is lived through before the first fault: windows fill, keys repeat. */
const warmUpMs = 4_000
const endingMs = 60_000

/** Starts the four services with or without a bug, plays the scenario, lets them end and audits what they left. */
export async function playRun(options: RunOptions): Promise<Played> {
  const { ground, folder, name } = options
  const { kafka, registry } = ground.connection
  mkdirSync(folder, { recursive: true })
  const topologyPath = writeTopology(join(folder, 'topology'), name)
  const loaded = await loadTopology(topologyPath)
  const plan = planOf(loaded.topology)
  await apply(kafka, registry, loaded.topology, loaded.hash)
  const wire = await avroWire(registry, plan.topics)
  const ledger = openLedger(join(folder, 'ledger.jsonl'))
  try {
    const failures: string[] = []
    const applied = { topologyPath, loaded, plan, wire, ledger }
    if (!(await live(options, applied, failures))) return { audited: undefined, failures }
    return { audited: await auditRun(options, topologyPath, plan, failures), failures }
  } finally {
    ledger.close()
    await removeTopics(ground, plan)
  }
}

interface Applied {
  readonly topologyPath: string
  readonly loaded: LoadedTopology
  readonly plan: Plan
  readonly wire: Wire
  readonly ledger: Ledger
}

/** False when there is nothing to audit. */
async function live(options: RunOptions, applied: Applied, failures: string[]): Promise<boolean> {
  const { ground, name, seed, scenario, folder, plants, log } = options
  const { topologyPath, loaded, plan, wire, ledger } = applied
  const { net, connection } = ground
  const { kafka, registry } = connection
  const watch = createWatch()
  const recoveries = createRecoveries()
  const fleet = openFleet({
    ...{ plan, topologyPath, folder, sessionTimeoutMs, plants },
    ...{ brokers: net.brokers, registry: net.registry },
    onLine: watch.line,
    onCommits(process, commits) {
      recoveries.committed(commits)
      watch.commits(process, commits)
    },
    onDeath: (process, exit) => failures.push(describeDeath(process, exit)),
  })
  const { settings = {}, instances = {}, atLeastOnce } = scenario
  const start = (service: ServiceName, instance = '0') =>
    fleet.start(service, instance, {
      settings: atLeastOnce === undefined || service === atLeastOnce ? settings : {},
    })
  const rules: Handle[] = []
  try {
    const processes = serviceNames.flatMap((service) =>
      Array.from({ length: instances[service] ?? 1 }, (_, instance) => start(service, String(instance))),
    )
    await Promise.all(processes.map(({ up }) => up))
    // Nothing to see when a bug keeps a service from starting, or could not be planted.
    if (failures.length > 0) return false
    const feed = await startFeed({
      ...{ kafka, registry, ledger, topology: name, partitions: plan.partitions, seed, perSecond, log },
    })
    const random = randomOf(seed, 'scenario')
    const rule = (of: Rule) => {
      const handle = net.rule(of)
      rules.push(handle)
      return handle
    }
    const scene: Scene = {
      ...{ net, fleet, kafka, plan, feed, ledger, recoveries, watch, random, log, rule, start },
    }
    await sleep(warmUpMs)
    await scenario.play(scene).catch((error: Error) => failures.push(`the scenario: ${error.message}`))
    for (const handle of rules) handle.remove()
    await sleep(1_500)
    await feed.stop()
    await declareEnd(kafka, wire, loaded.topology)
    const missing = await untilAllEnded(kafka, wire, loaded.topology, endingMs)
    if (missing.length > 0) failures.push(`never ended: ${missing.join(', ')}`)
    await fleet.close()
    return true
  } finally {
    fleet.abandon()
  }
}

async function auditRun(
  { ground, scenario, folder }: RunOptions,
  topologyPath: string,
  plan: Plan,
  failures: string[],
): Promise<AuditResult | undefined> {
  const { directBrokers, directRegistry } = ground.net
  const repeating = scenario.atLeastOnce === undefined ? [] : plan.services[scenario.atLeastOnce].stages
  try {
    return await audit({
      ...{ brokers: directBrokers, registry: directRegistry, topologyPath },
      ledgerFile: join(folder, 'ledger.jsonl'),
      folder: join(folder, 'dump'),
      log: () => {},
      atLeastOnceStages: repeating.map((stage) => stage.name),
    })
  } catch (error) {
    failures.push(`the audit failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
    return undefined
  }
}

/** A broker that all runs share would in the end have thousands of partitions to look after. */
async function removeTopics({ connection }: Ground, { topics }: Plan): Promise<void> {
  const admin = await connection.kafka.admin()
  try {
    await admin.deleteTopics(topics.map(({ name }) => name))
  } finally {
    await admin.close()
  }
}
