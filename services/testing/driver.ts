import { join } from 'node:path'
import type { Records } from '../../schemas/catalogue.ts'
import { type Duration, durationMs } from '../../topologies/duration.ts'
import type { ServiceName, topicKinds } from '../../topologies/topics.ts'
import { serviceNames, topicOf } from '../../topologies/topics.ts'
import type { TopologyDefinition } from '../../topologies/topology.ts'
import { checkEvent } from '../domain/event/contract.ts'
import { tidemarkError } from '../runtime/errors.ts'
import { type MemoryRun, openMemoryRun } from '../runtime/in-memory.ts'
import { partitionOf } from '../runtime/kafka/partition.ts'
import type { Stage, TaskSpec } from '../runtime/stage.ts'
import { levelStore } from '../runtime/store/level.ts'
import type { Store } from '../runtime/store/store.ts'
import type { Wire } from '../runtime/wire.ts'
import { type Composed, compose } from './compose.ts'

type Kinds = typeof topicKinds
/** Topics that may be named by their noun alone: `predictions` stands for `<topology>.predictions`. */
export type Noun = Exclude<keyof Kinds, 'entity-journal' | 'changelog' | 'topology' | 'control'>
type ValueOf<N extends Noun> = Records[Kinds[N]['schema']]

export interface DriverOptions {
  /** Which services run. Default: all four. Without `predictions` and `reports` no model has to be there. */
  readonly services?: readonly ServiceName[]
  /** Where the models of a topology are that was not loaded from its path. */
  readonly folder?: string
  /** Keeps state in LevelDB in this folder. Default: in memory. */
  readonly storeFolder?: string
  /** Inputs per commit of a task. Default: 1. Nothing that is computed depends on it. */
  readonly commitEvery?: number
}

export interface SendOptions {
  /** The Kafka key. Default: the event's id, where there is one. */
  readonly key?: string | Uint8Array | null
  /** The Kafka timestamp in ms, and what the clock is set to. Default: the event's time, or the clock if that is later. */
  readonly at?: number
  /** Default: the one that Kafka's own partitioner chooses for the key; without a key, 0. */
  readonly partition?: number
}

/** A record as a consumer decodes it. */
export interface DriverRecord<Value> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: Value
}

/** Runs a topology's services in this process, without Kafka, registry or clock; see {@link openDriver}. */
export interface Driver {
  /** The virtual clock in ms: when the last record came, and what `advance` has added. */
  readonly nowMs: number
  /**
   * Brings a record to a topic of the topology's streams; when it resolves, everything that follows has happened. An
   * object is sent as JSON, a text or bytes as they are, null as a tombstone.
   * @throws TM_DRIVER for a topic that no stream has, or after `end`
   */
  send(topic: string, value: object | string | Uint8Array | null, options?: SendOptions): Promise<void>
  /**
   * Time passes: `'10s'`, or ms. Tasks tell their readers how far event time has come, and partitions that nothing has
   * come from for their stream's `idle` no longer hold it back. No time passes by itself.
   */
  advance(time: Duration | number): Promise<void>
  /** One partition of a stream (or all of them) counts as quiet from now on, until a record comes. */
  idle(topic: string, partition?: number): Promise<void>
  /** Every stream has ended: windows close, labels expire, reports are made. */
  end(): Promise<void>
  /**
   * What has come to a topic since it was last read: by its noun, such as `predictions`, or its whole name.
   * @throws TM_DRIVER for a topic that the topology does not have
   */
  read<N extends Noun>(topic: N): DriverRecord<ValueOf<N>>[]
  read(topic: string): DriverRecord<unknown>[]
  /**
   * The committed state of a stage, such as `assemble`: all its keys with their values, by `<topic>/<partition>`.
   * @throws TM_DRIVER for a stage that does not run
   */
  state(stage: string): Promise<Record<string, Record<string, unknown>>>
  /** Where a stage's tasks stand: `<topic>/<partition>` → watermark in ms, and what became of their records. */
  progress(stage: string): Record<string, { readonly watermark: number; readonly counts: Counts }>
  /** All tasks forget everything and begin again from their changelogs, as after a crash. Nothing else may change. */
  restart(): Promise<void>
  /** Registers an Avro schema of a producer's own; its records begin with 0 and this id in four bytes. */
  schema(avro: object): Promise<number>
  close(): Promise<void>
}

export interface Counts {
  readonly in: number
  readonly applied: number
  readonly late: number
  readonly duplicate: number
  readonly deadLettered: number
}

/**
 * A topology under test: the code of the services, over topics in memory. The same calls give the same bytes, on the
 * broker as here.
 * @param topology its file or folder, or the topology itself
 * @throws TM_TOPOLOGY, TM_MODEL, and what loading it throws
 */
export async function openDriver(
  topology: string | URL | TopologyDefinition,
  options: DriverOptions = {},
): Promise<Driver> {
  const { services = serviceNames, storeFolder, commitEvery } = options
  const composed = await compose(topology, options.folder, services)
  const run = await openMemoryRun({
    wire: composed.wire,
    topologyHash: composed.hash,
    controlTopic: topicOf(composed.topology.name, 'control'),
    stages: composed.stages,
    ...(commitEvery === undefined ? {} : { commitEvery }),
    ...(storeFolder === undefined ? {} : { openStore: storesIn(storeFolder) }),
  })
  return driverOf(composed, run)
}

function driverOf(composed: Composed, run: MemoryRun): Driver {
  const { topology, plan, wire, registry } = composed
  const places = createPlaces(composed)
  const reader = createReader(run, wire)
  const inTurn = createTurnstile()
  let ended = false

  return {
    get nowMs() {
      return run.nowMs
    },
    send: (topic, value, options = {}) =>
      inTurn(async () => {
        if (ended) throw driverError(`${topic} has ended`)
        const stream = places.stream(topic)
        const event = isPlain(value) ? checkEvent(stream, value) : undefined
        const { key = event?.ok ? event.id : null } = options
        const keyBytes = bytesOf(key)
        const partition = options.partition ?? (keyBytes ? partitionOf(keyBytes, stream.partitions) : 0)
        places.demand(topic, partition)
        const atMs = options.at ?? Math.max(run.nowMs, event?.ok ? event.time : 0)
        await run.append(topic, partition, [{ key: keyBytes, value: bytesOf(value) }], atMs)
      }),
    advance: (time) =>
      inTurn(() => run.advance(typeof time === 'number' ? time : durationMs(time, 'advance'))),
    idle: (topic, partition) =>
      inTurn(async () => {
        const { partitions } = places.stream(topic)
        if (partition !== undefined) places.demand(topic, partition)
        for (
          let each = partition ?? 0;
          each < (partition === undefined ? partitions : partition + 1);
          each += 1
        )
          await run.hush(topic, each)
      }),
    end: () =>
      inTurn(async () => {
        ended = true
        await run.endOf(Object.values(topology.streams))
      }),
    read: (topic: string) => {
      inTurn.demandFree()
      return reader(places.topic(topic)) as DriverRecord<never>[]
    },
    state: (stage) =>
      inTurn(async () => {
        await run.save()
        const tasks = places.tasks(run, stage)
        const states = tasks.map(async ({ spec, state }) => {
          const entries = [...(await state())].filter(([key]) => !key.startsWith('~'))
          const values = entries.map(([key, text]) => [key, JSON.parse(text) as unknown])
          return [`${spec.topic}/${spec.partition}`, Object.fromEntries(values)]
        })
        return Object.fromEntries(await Promise.all(states))
      }),
    progress: (stage) =>
      Object.fromEntries(
        places.tasks(run, stage).map(({ spec, progress: { watermark, counts } }) => {
          return [`${spec.topic}/${spec.partition}`, { watermark, counts: { ...counts } }]
        }),
      ),
    restart: () => inTurn(run.restart),
    schema: (avro) => registry.register(`${plan.topology}.test`, avro, 'FULL'),
    close: () => inTurn(run.close),
  }
}

function driverError(detail: string): Error {
  return tidemarkError('TM_DRIVER', detail)
}

/** What the topology has, and what it has instead of what was asked for. */
function createPlaces({ topology, plan, stages }: Composed) {
  const names = plan.topics.map(({ name }) => name)
  const own = `${topology.name}.`
  const listed = (what: readonly string[]) => what.join(', ')
  return {
    stream(topic: string) {
      const { streams } = topology
      if (Object.hasOwn(streams, topic)) return streams[topic]!
      throw driverError(`no stream is called ${topic}; there are ${listed(Object.keys(streams))}`)
    },
    demand(topic: string, partition: number): void {
      const { partitions } = this.stream(topic)
      if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return
      throw driverError(`${topic} has partitions 0 to ${partitions - 1}, not ${partition}`)
    },
    topic(name: string) {
      const found = plan.topics.find((spec) => spec.name === name || spec.name === own + name)
      if (found !== undefined) return found
      const short = names.map((each) => (each.startsWith(own) ? each.slice(own.length) : each))
      throw driverError(`no topic is called ${name}; there are ${listed(short)}`)
    },
    tasks(run: MemoryRun, stage: string) {
      const versioned = `${stage}-v${topology.version}`
      const found = run.tasks.filter((task) => task.stage.id === stage || task.stage.id === versioned)
      if (found.length > 0) return found
      const suffix = `-v${topology.version}`
      throw driverError(
        `no stage is called ${stage}; there are ${listed(stages.map(({ id }) => id.slice(0, -suffix.length)))}`,
      )
    },
  }
}

/** Reads each topic from where it was last read to, in the order in which its partitions were written. */
function createReader({ log }: MemoryRun, wire: Wire) {
  const positions = new Map<string, number>()
  return ({ name, partitions, schema }: { name: string; partitions: number; schema: string | null }) =>
    Array.from({ length: partitions }, (_, partition) => {
      const place = `${name}/${partition}`
      const read = log.read({ topic: name, partition }, positions.get(place) ?? 0, Number.POSITIVE_INFINITY)
      positions.set(place, log.end({ topic: name, partition }))
      return read
    })
      .flat()
      .sort((left, right) => left.sequence - right.sequence)
      .map(({ topic, partition, offset, timestamp, key, value }): DriverRecord<unknown> => {
        const decoded = value === null || schema === null ? value : wire.decode(schema, value)
        return { topic, partition, offset, timestamp, key: key?.toString() ?? null, value: decoded }
      })
}

/** One call after the other, in the order in which they were made, whether or not they were awaited. */
function createTurnstile() {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  async function inTurn<T>(act: () => Promise<T>): Promise<T> {
    waiting += 1
    const mine = last.then(act)
    last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      waiting -= 1
    }
  }
  return Object.assign(inTurn, {
    demandFree() {
      if (waiting > 0) throw driverError('await what was sent before reading')
    },
  })
}

function storesIn(folder: string): (stage: Stage, task: TaskSpec) => Promise<Store> {
  return ({ id, changelog }, { index }) =>
    levelStore(join(folder, id, String(index)), `${changelog.topic}/${index}`)
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

function bytesOf(value: object | string | Uint8Array | null): Buffer | null {
  if (value === null) return null
  if (typeof value === 'string') return Buffer.from(value)
  return Buffer.from(value instanceof Uint8Array ? value : JSON.stringify(value))
}
