import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { type Alignment, type ControlEntry, createAlignment, createControlTable } from './control.ts'
import { tidemarkError } from './errors.ts'
import { serveHttp } from './http.ts'
import type { Kafka } from './kafka/client.ts'
import type { TopicPartition } from './kafka/fetch.ts'
import type { Log } from './log.ts'
import { type Reader, startLoop } from './loop.ts'
import { createMetrics } from './metrics.ts'
import type { Stage, TaskSpec } from './stage.ts'
import { levelStore } from './store/level.ts'
import { startTask, type Task, type TaskWorld } from './task.ts'
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
}

export interface Running {
  readonly port: number
  /** Resolves at `stop`, rejects with a coded error when an invariant is broken. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** Joins the group, runs the assigned tasks until `stop`, and keeps every promise about signals and exit codes elsewhere. */
export async function runService(
  service: Service,
  config: Config,
  kafka: Kafka,
  wire: Wire,
  log: Log,
): Promise<Running> {
  const tasks = new Map<string, Task>()
  const closing = new Set<Promise<void>>()
  const stageOf = stagesByTopic(service)
  const nudgeAll = () => {
    for (const task of tasks.values()) task.nudge()
  }
  const control = createControlTable(nudgeAll)
  const alignments = new Map<Stage, Alignment>()
  for (const stage of service.stages) {
    if (!stage.inputs.some(({ source }) => source)) continue
    alignments.set(stage, createAlignment(stage.tasks, service.alignmentMs, control, nudgeAll))
  }
  const statuses = () => [...tasks.values()].map((task) => task.status())
  const metrics = createMetrics(service.name, config.instance, statuses)
  const { promise: ended, resolve: finish, reject: fail } = Promise.withResolvers<void>()
  ended.catch(() => {})

  const folder = join(config.stateFolder, service.topology, `${service.name}-${config.instance}`)
  mkdirSync(folder, { recursive: true })
  const world: TaskWorld = {
    kafka,
    reader: await kafka.fetcher(),
    wire,
    control,
    controlTopic: service.controlTopic,
    topologyHash: service.topologyHash,
    instance: config.instance,
    commitIntervalMs: config.commitIntervalMs,
    log,
    openStore: (stage, index) => levelStore(join(folder, stage.id, String(index))),
    committed: (stage, records, durationMs) => metrics.committed(stage.id, records, durationMs),
    fail,
  }
  const controlReader = readControl(service.controlTopic, wire, control.note, fail)
  const loop = startLoop(await kafka.fetcher(), () => [controlReader, ...tasks.values()], log)

  let assigned = false
  function assign(partitions: readonly TopicPartition[], memberId: string): void {
    assigned = true
    writeFileSync(join(folder, 'member'), memberId)
    const wanted = new Set(partitions.map(({ topic, partition }) => `${topic}/${partition}`))
    for (const [place, task] of tasks) {
      if (wanted.has(place)) continue
      tasks.delete(place)
      track(task.close())
    }
    for (const place of wanted) if (!tasks.has(place)) open(place)
    log.info({ tasks: tasks.size }, 'assigned')
  }

  function open(place: string): void {
    const entry = stageOf.get(place)
    if (entry) tasks.set(place, startTask(entry.stage, entry.address, alignments.get(entry.stage), world))
  }

  function track(closed: Promise<void>): void {
    const done = closed.finally(() => closing.delete(done))
    closing.add(done)
  }

  const previousMemberId = readMember(folder)
  const member = kafka.member({
    groupId: service.group,
    topics: [...new Set(service.stages.flatMap(({ inputs }) => inputs.map(({ topic }) => topic)))],
    sessionTimeoutMs: config.sessionTimeoutMs,
    heartbeatMs: Math.max(200, Math.floor(config.sessionTimeoutMs / 6)),
    rebalanceTimeoutMs: Math.max(10_000, config.sessionTimeoutMs),
    ...(previousMemberId === undefined ? {} : { previousMemberId }),
    onAssigned: assign,
    onHeartbeat: nudgeAll,
    onCrash: (error) => log.warn({ reason: error.message }, 'left the group; joining again'),
  })
  await member.start()
  const lagTimer = setInterval(() => void member.commitOffsets(offsetsOf(tasks.values())), 2_000)

  const health = {
    alive: () => performance.now() - loop.lastRoundMs < 30_000,
    ready: () => assigned && closing.size === 0 && statuses().every(({ running }) => running),
    statuses,
  }
  const http = await serveHttp(config.httpHost, config.httpPort, health, metrics)
  return {
    port: http.port,
    ended,
    async stop() {
      clearInterval(lagTimer)
      await Promise.all([...tasks.values()].map((task) => task.close()))
      await Promise.all(closing)
      await member.stop()
      await loop.stop()
      await world.reader.close()
      await http.close()
      finish()
    },
  }
}

function stagesByTopic(service: Service): Map<string, { stage: Stage; address: TaskSpec }> {
  const places = new Map<string, { stage: Stage; address: TaskSpec }>()
  for (const stage of service.stages) {
    for (const address of stage.tasks) {
      const place = `${address.topic}/${address.partition}`
      // One group assigns partitions, not stages: two stages of a service may not read the same topic.
      if (places.has(place))
        throw tidemarkError('TM_TOPOLOGY', `two stages of ${service.name} read ${address.topic}`)
      places.set(place, { stage, address })
    }
  }
  return places
}

/** Every process reads the whole control topic, from its start, for as long as it runs. */
function readControl(
  topic: string,
  wire: Wire,
  note: (entry: ControlEntry) => void,
  fail: (error: unknown) => void,
): Reader {
  let next = 0
  let noted = Promise.resolve()
  return {
    address: { topic, partition: 0 },
    wants: () => next,
    offer(answer) {
      next = answer.error === 'offset-out-of-range' ? answer.logStart : answer.nextOffset
      const values = answer.records.map(({ value }) => value).filter((value) => value !== null)
      if (values.length === 0) return
      noted = noted
        .then(() => wire.prepare('Control', values))
        .then(() => {
          for (const value of values) note(wire.decode('Control', value) as unknown as ControlEntry)
        })
        .catch(fail)
    },
  }
}

function offsetsOf(tasks: Iterable<Task>): { topic: string; partition: number; offset: number }[] {
  const offsets = []
  for (const task of tasks) {
    const { topic, partition, progress } = task.status()
    if (progress) offsets.push({ topic, partition, offset: progress.position })
  }
  return offsets
}

function readMember(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'member'), 'utf8') || undefined
  } catch {
    return undefined
  }
}
