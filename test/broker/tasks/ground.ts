import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { inject } from 'vitest'
import { compileConfig } from '../../../services/runtime/config.ts'
import { isTidemarkError } from '../../../services/runtime/errors.ts'
import { connectKafka, type Kafka } from '../../../services/runtime/kafka/client.ts'
import type { OutRecord } from '../../../services/runtime/kafka/writer.ts'
import { type Running, runService } from '../../../services/runtime/run.ts'
import { connect } from '../kafka-support.ts'
import { type Order, type Plan, plainWire, serviceOf } from './counting.ts'
import { startProcess, type ToProcess } from './processes.ts'
import { type Follower, follow } from './reading.ts'

export interface GroundOptions {
  /** Partitions of each input; one topic with one partition when left out. */
  readonly inputs?: readonly number[]
  /** The writers of internal inputs; user topics when left out. */
  readonly writers?: readonly string[]
  readonly outputs?: { readonly partitions: number; readonly by: 'key' | 'own' }
  readonly alignmentMs?: number
  readonly changelogConfigs?: Record<string, string>
  readonly outputConfigs?: Record<string, string>
  readonly inputConfigs?: Record<string, string>
}

/** One line of a service's log. */
export interface LogLine {
  readonly msg: string
  readonly level: number
  readonly task?: string
  readonly reason?: string
  readonly code?: string
  readonly replayed?: number
  readonly rebuilt?: boolean
}

/** A service in this process; a client of its own makes it a process of its own as far as Kafka can see. */
export interface Here {
  readonly running: Running
  readonly log: readonly LogLine[]
  stop(): Promise<void>
}

export interface StartOptions {
  readonly plan?: Partial<Plan>
  /** Nothing of the input is read before this resolves. */
  readonly gate?: Promise<void>
  /** Nor anything of a changelog: the tasks are assigned, but they do not live. */
  readonly gatesRestore?: boolean
}

/** Topics, state folders and services of one test; all of it goes when the test ends. */
export interface Ground extends AsyncDisposable {
  readonly kafka: Kafka
  readonly plan: Plan
  readonly follower: Follower
  readonly folder: string
  /** Writes orders to a partition of an input, at least once, with a Kafka timestamp that is their event time. */
  write(orders: readonly unknown[], place?: { input?: number; partition?: number }): Promise<void>
  start(instance: string, settings?: Record<string, string>, more?: StartOptions): Promise<Here>
  startProcess(instance: string, options?: Partial<ToProcess>): ReturnType<typeof startProcess>
  /** Where an instance keeps the store of a task. */
  storeFolder(instance: string, index: number): string
}

export async function ground(options: GroundOptions = {}): Promise<Ground> {
  const { inputs = [1], writers, alignmentMs = 60_000, outputs = { partitions: 1, by: 'own' } } = options
  const id = randomUUID().slice(0, 8)
  const kafka = connect()
  const plan: Plan = {
    name: `tasks-${id}`,
    group: `tasks-${id}`,
    inputs: inputs.map((partitions, at) => {
      return {
        topic: `tasks-${id}-in-${at}`,
        partitions,
        source: writers === undefined,
        writers: writers ?? ['source'],
      }
    }),
    output: { topic: `tasks-${id}-out`, ...outputs },
    changelog: `tasks-${id}-changelog`,
    control: `tasks-${id}-control`,
    alignmentMs,
  }
  const tasks = await createTopics(kafka, plan, options)
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-tasks-'))
  const follower = await follow(inject('brokers'), [
    { topic: plan.output.topic, partitions: outputs.partitions },
    { topic: plan.changelog, partitions: tasks },
    { topic: plan.control, partitions: 1 },
  ])
  const writer = await kafka.plainWriter()
  const open = new Set<() => Promise<void>>()

  return {
    ...{ kafka, plan, follower, folder },
    async write(orders, { input = 0, partition = 0 } = {}) {
      const { topic } = plan.inputs[input]!
      await writer.write([{ topic, partition, records: orders.map(recordOf) }])
    },
    async start(instance, settings = {}, more = {}) {
      const here = await startHere({ ...plan, ...more.plan }, environment(folder, instance, settings), more)
      open.add(here.stop)
      return here
    },
    startProcess(instance, given = {}) {
      const process = startProcess({
        plan,
        env: environment(folder, instance, given.env ?? {}),
        ...without(given),
      })
      open.add(process.kill)
      return process
    },
    storeFolder: (instance, index) => join(folder, plan.name, `count-${instance}`, 'count', String(index)),
    async [Symbol.asyncDispose]() {
      await Promise.all([...open].map((close) => close()))
      await follower.close()
      await kafka.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The code of the error that ended a service. */
export async function codeOf({ running }: Here): Promise<string> {
  const ended = running.ended.then(
    () => 'stopped',
    (error: unknown) => (isTidemarkError(error) ? error.code : String(error)),
  )
  return Promise.race([ended, sleep(20_000, 'still running', { ref: false })])
}

/** The topics of a plan; resolves with the number of its tasks. */
async function createTopics(kafka: Kafka, plan: Plan, options: GroundOptions): Promise<number> {
  const tasks = plan.inputs.reduce((sum, { partitions }) => sum + partitions, 0)
  const compacted = { 'cleanup.policy': 'compact' }
  const { topic, partitions } = plan.output
  const admin = await kafka.admin()
  await admin.createTopics([
    ...plan.inputs.map((input) => ({ ...input, configs: options.inputConfigs ?? {} })),
    { topic, partitions, configs: options.outputConfigs ?? {} },
    { topic: plan.changelog, partitions: tasks, configs: { ...compacted, ...options.changelogConfigs } },
    { topic: plan.control, partitions: 1, configs: compacted },
  ])
  await admin.close()
  return tasks
}

function without({ env: _, ...rest }: Partial<ToProcess>): Partial<ToProcess> {
  return rest
}

/** No heartbeat is missed on a busy machine unless a test wants it. */
function environment(
  folder: string,
  instance: string,
  settings: Record<string, string>,
): Record<string, string> {
  return {
    KAFKA_BROKERS: inject('brokers'),
    SCHEMA_REGISTRY_URL: inject('registry'),
    TIDEMARK_INSTANCE: instance,
    TIDEMARK_STATE: folder,
    TIDEMARK_SESSION_TIMEOUT_MS: '30000',
    ...settings,
  }
}

async function startHere(plan: Plan, env: Record<string, string>, options: StartOptions): Promise<Here> {
  const config = compileConfig(env, env['TIDEMARK_STATE']!)
  const kafka = connectKafka({ brokers: [...config.brokers], clientId: `tasks-${config.instance}` })
  const lines: LogLine[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line) as LogLine) })
  const running = await runService(serviceOf(plan), config, gated(kafka, plan, options), plainWire, log)
  let stopped: Promise<void> | undefined
  return {
    running,
    log: lines,
    stop() {
      stopped ??= running.stop().then(() => kafka.close())
      return stopped
    },
  }
}

function gated(kafka: Kafka, plan: Plan, { gate, gatesRestore = false }: StartOptions): Kafka {
  const held = new Set(plan.inputs.map(({ topic }) => topic))
  if (gatesRestore) held.add(plan.changelog)
  return {
    ...kafka,
    async fetcher() {
      const fetcher = await kafka.fetcher()
      return {
        ...fetcher,
        async fetch(positions, options) {
          if (positions.some(({ topic }) => held.has(topic))) await gate
          return fetcher.fetch(positions, options)
        },
      }
    },
  }
}

function recordOf(order: unknown): OutRecord {
  const { key, time } = order as Order
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(order)), timestamp: time }
}
