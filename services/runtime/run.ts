import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { type Alignment, type ControlTable, createAlignment, createControlTable } from './control.ts'
import { readControl } from './control-reader.ts'
import { serveHttp } from './http.ts'
import type { Kafka } from './kafka/client.ts'
import type { Log } from './log.ts'
import { startLoop } from './loop.ts'
import { joinGroup, type Membership } from './member.ts'
import { createMetrics } from './metrics.ts'
import type { Placement } from './placement.ts'
import type { Stage } from './stage.ts'
import { levelStore } from './store/level.ts'
import type { TaskWorld } from './task.ts'
import { createTaskSet } from './task-set.ts'
import type { Wire } from './wire.ts'

/** A service is a value: its stages, and the names it goes by on the broker. */
export interface Service {
  readonly name: string
  readonly topology: string
  readonly topologyHash: string
  readonly group: string
  readonly controlTopic: string
  readonly alignmentMs: number
  readonly stages: readonly Stage[]
  /** What it has seen of how users' topics are partitioned. */
  readonly placement?: Placement
}

export interface Running {
  readonly port: number
  /** Resolves at `stop`, rejects with a coded error when an invariant is broken. */
  readonly ended: Promise<void>
  /** Commits, leaves the group, closes everything. */
  stop(): Promise<void>
}

/** The loop makes a round at least every time a fetch ends, so a silence this long is a hang. */
const hangMs = 30_000

/** Joins the group and runs what it assigns, until `stop`. */
export async function runService(
  service: Service,
  config: Config,
  kafka: Kafka,
  wire: Wire,
  log: Log,
): Promise<Running> {
  const { promise: ended, resolve: finish, reject: fail } = Promise.withResolvers<void>()
  ended.catch(() => {})
  const folder = join(config.stateFolder, service.topology, `${service.name}-${config.instance}`)
  mkdirSync(folder, { recursive: true })

  const nudgeAll = () => {
    for (const task of set.tasks) task.nudge()
  }
  const control = createControlTable(nudgeAll)
  const metrics = createMetrics(service.name, config.instance, () => set.statuses(), service.placement)
  const reader = await kafka.fetcher()
  const world: TaskWorld = {
    ...{ kafka, reader, wire, control, log, fail },
    controlTopic: service.controlTopic,
    topologyHash: service.topologyHash,
    instance: config.instance,
    commitIntervalMs: config.commitIntervalMs,
    guarantee: config.guarantee,
    memoryBytes: () => config.memoryBytes / Math.max(1, [...set.tasks].length),
    scrubIntervalMs: config.scrubIntervalMs,
    openStore: (stage, task) =>
      levelStore(join(folder, stage.id, String(task.index)), `${stage.changelog.topic}/${task.index}`),
    committed: (stage, records, durationMs) => metrics.committed(stage.id, records, durationMs),
    recovering: (stage, kind) => metrics.recovering(stage.id, kind),
  }
  const set = createTaskSet(service.stages, alignmentsOf(service, control, nudgeAll), world)
  let member: Membership | undefined
  const health = {
    alive: () => performance.now() - loop.lastRoundMs < hangMs,
    ready: () => member?.isAssigned === true && set.settled,
    statuses: set.statuses,
  }
  const controlReader = readControl(service.controlTopic, wire, control.note, fail)
  const loop = startLoop(await kafka.fetcher(), () => [controlReader, ...set.tasks], log)
  // A service that cannot say how it does must not take tasks: its page comes before its membership.
  const http = await serveHttp(config, health, metrics).catch(async (error: unknown) => {
    await loop.stop()
    await reader.close()
    throw error
  })

  async function stop(): Promise<void> {
    await set.close()
    await member?.leave()
    await loop.stop()
    await reader.close()
    await http.close()
    finish()
  }

  try {
    member = await joinGroup(service, config, kafka, set, folder, log)
  } catch (error) {
    await stop()
    throw error
  }
  return { port: http.port, ended, stop }
}

/** Only stages that know event time before a turn can be held back by it. */
function alignmentsOf(
  { stages, alignmentMs }: Service,
  control: ControlTable,
  changed: () => void,
): Map<Stage, Alignment> {
  const timed = stages.filter(({ eventTime }) => eventTime !== undefined)
  return new Map(timed.map((stage) => [stage, createAlignment(stage.tasks, alignmentMs, control, changed)]))
}
