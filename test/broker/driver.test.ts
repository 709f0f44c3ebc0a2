import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { apply } from '../../services/cli/apply.ts'
import { announceEnd, verdictHasEnded } from '../../services/cli/ending.ts'
import { emptyTopics } from '../../services/cli/reset.ts'
import { checkpointKey, fenceKey } from '../../services/runtime/changelog.ts'
import { connectRegistry } from '../../services/runtime/codec/registry.ts'
import { compileConfig } from '../../services/runtime/config.ts'
import { type Replayed, type ReplayOptions, replayJournals } from '../../services/runtime/in-memory-replay.ts'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import { partitionOf } from '../../services/runtime/kafka/partition.ts'
import type { Log } from '../../services/runtime/log.ts'
import { type Running, runService } from '../../services/runtime/run.ts'
import type { Stage, TaskSpec } from '../../services/runtime/stage.ts'
import type { CheckpointRecord, Wire } from '../../services/runtime/wire.ts'
import { type Composed, compose } from '../../services/testing/compose.ts'
import { openDriver } from '../../services/testing/driver.ts'
import { loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { type ServiceName, serviceNames, topicOf } from '../../topologies/topics.ts'
import { copyFlightDelay, type Line, troubledFlights } from '../driver/flights.ts'
import { folded, writtenBy, writtenTopics } from '../driver/written.ts'
import { connect, readAll } from './kafka-support.ts'

const seeds = process.env['SEED'] ? [Number(process.env['SEED'])] : [1, Date.now() % 1_000_000]
console.log(`broker/driver seeds ${seeds.join(', ')}`)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-driver-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each(seeds)('what the services made of troubled flights, seed %i,', (seed) => {
  let run: BrokerRun
  let replayed: Replayed

  beforeAll(async () => {
    run = await openBrokerRun(2)
    await run.play(troubledFlights(seed, 300))
    const { stages } = run.composed
    const journals = run.journals()
    replayed = await replayJournals({ ...run.world, stages, journals, ended: true, commitEvery: 7 })
  }, 120_000)
  afterAll(() => run?.close())

  it('is what the driver makes of their journals, byte for byte', () => {
    const { wire, plan } = run.composed
    const seen: Record<string, number> = {}
    for (const topic of writtenTopics(plan)) {
      const places = placesOf(topic)
      const ours = writtenBy(
        wire,
        topic,
        places.flatMap((place) => replayed.written.read(place, 0, everything)),
      )
      const theirs = writtenBy(wire, topic, places.flatMap(run.read))
      expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs))
      seen[topic.name.slice(plan.topology.length + 1)] = [...theirs.values()].flat().length
    }
    // The comparison says something only if there was something of everything that matters.
    for (const noun of [
      'airport-journal',
      'features',
      'predictions',
      'outcomes',
      'panes',
      'drift',
      'dead-letters',
    ])
      expect(seen[noun], noun).toBeGreaterThan(5)
  })

  it('was remembered, half way, as the driver remembers it there: every key, and the whole checkpoint', async () => {
    let keys = 0
    for (const stage of run.composed.stages) {
      // What a silent writer of a public topic says is heard outside of the topic, whenever it is.
      if (stage.inputs.some(({ own }) => own)) continue
      const half = stage.tasks.map((task) => halfWay(run, stage, task))
      const { tasks, written } = await replayJournals({
        ...run.world,
        stages: [stage],
        journals: half.map(({ journal }) => journal),
        ended: false,
        commitEvery: 11,
      })
      for (const [at, { spec }] of tasks.entries()) {
        const { state } = half[at]!
        if (state === undefined) continue
        const place = { topic: stage.changelog.topic, partition: spec.index }
        const ours = folded(written.read(place, 0, everything))
        expect(decoded(run, ours), spec.writer).toEqual(decoded(run, state))
        keys += ours.size
      }
    }
    expect(keys).toBeGreaterThan(100)
  })

  it('is counted as the driver counts it, and ends where the driver ends', () => {
    for (const { spec, progress } of replayed.tasks) {
      const { position, counts, index, ended } = run.checkpoint(spec.writer)
      const ours = {
        position: progress.position,
        counts: progress.counts,
        index: progress.index,
        ended: true,
      }
      expect(ours, spec.writer).toEqual({ position, counts, index, ended })
    }
    const total = (count: 'late' | 'duplicate' | 'deadLettered') =>
      replayed.tasks.reduce((sum, { progress }) => sum + progress.counts[count], 0)
    expect(total('duplicate')).toBeGreaterThan(3)
    expect(total('deadLettered')).toBeGreaterThan(3)
  })
})

describe('one stream with one partition', () => {
  it('gives the driver, which only sees the source topic, the same features and scores', async () => {
    const run = await openBrokerRun(1)
    try {
      const lines = troubledFlights(seeds.at(-1)!, 150).filter(({ stream }) => stream === 'departures')
      await run.play(lines)
      const { topology } = run.composed
      const driver = await openDriver(run.topology, { services: ['features', 'predictions'] })
      for (const { topic, value, timestamp } of run.read({ topic: topology.scored, partition: 0 }))
        await driver.send(topic, value, { at: timestamp })
      await driver.end()
      for (const noun of ['features', 'predictions'] as const) {
        const [topic] = writtenTopics(run.composed.plan).filter(
          ({ name }) => name === topicOf(topology.name, noun),
        )
        const theirs = run
          .read({ topic: topic!.name, partition: 0 })
          .map(({ value }) => decided(run.composed.wire.decode(topic!.schema, value!)))
        expect(driver.read(noun).map(({ value }) => decided({ ...value }))).toEqual(theirs)
        expect(theirs.length).toBeGreaterThan(100)
      }
    } finally {
      await run.close()
    }
  }, 120_000)
})

const everything = Number.POSITIVE_INFINITY

/** Two writers share a topic as chance has it, and so the marks between their records do. */
function decided({ runtime, watermark, origin, ...value }: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** State and checkpoint as the middle one of a task's commits before its end left them, and what it had read by then. */
function halfWay(run: BrokerRun, { changelog }: Stage, { index, topic, partition }: TaskSpec) {
  const records = run.read({ topic: changelog.topic, partition: index })
  const states = records.flatMap(({ key }, at) =>
    key!.toString() === checkpointKey ? [folded(records.slice(0, at + 1))] : [],
  )
  const open = states.filter((state) => !checkpointIn(run.composed.wire, state).ended)
  const state = open[open.length >> 1]
  const position = state === undefined ? 0 : checkpointIn(run.composed.wire, state).position
  return { state, journal: run.read({ topic, partition }).filter(({ offset }) => offset < position) }
}

function checkpointIn(wire: Wire, state: Map<string, Buffer>): CheckpointRecord {
  const entry = wire.decode('ChangelogEntry', state.get(checkpointKey)!)
  return entry['checkpoint'] as CheckpointRecord
}

function decoded(run: BrokerRun, state: Map<string, Buffer>) {
  const entries = [...state].filter(([key]) => key !== checkpointKey && key !== fenceKey)
  const values = entries.map(([key, value]) => [key, value.toString('base64')])
  return { keys: Object.fromEntries(values), checkpoint: { ...checkpointIn(run.composed.wire, state) } }
}

interface BrokerRun {
  readonly composed: Composed
  /** What every replay of this run takes. */
  readonly world: Pick<ReplayOptions, 'wire' | 'topologyHash' | 'controlTopic' | 'incarnation'>
  readonly topology: string
  /** The last one of the task that goes by this name. */
  checkpoint(writer: string): CheckpointRecord
  /** Brings the lines to the services, which start over in the middle, and waits until the last of them has ended. */
  play(lines: readonly Line[]): Promise<void>
  /** A partition as it was at the end of the play. */
  read(place: { topic: string; partition: number }): FetchedRecord[]
  journals(): FetchedRecord[][]
  close(): Promise<void>
}

async function openBrokerRun(partitions: number): Promise<BrokerRun> {
  const name = `driver-${randomUUID().slice(0, 8)}`
  const topology = copyFlightDelay(folder, name, partitions)
  const kafka = connect()
  const registry = connectRegistry(inject('registry'), { timeoutMs: 30_000 })
  const loaded = await loadTopology(topology)
  await apply(kafka, registry, loaded.topology, loaded.hash)
  const composed = await compose(topology, undefined, serviceNames, registry)
  const { wire } = composed
  let written: ReadonlyMap<string, FetchedRecord[]> = new Map()
  let checkpoints: ReadonlyMap<string, CheckpointRecord> = new Map()
  const running = new Map<ServiceName, Running>()
  const start = async (service: ServiceName) =>
    running.set(service, await startService(composed, service, kafka))
  const read: BrokerRun['read'] = ({ topic, partition }) => written.get(`${topic}/${partition}`) ?? []
  const stop = async () => {
    for (const service of running.values()) await service.stop()
    running.clear()
  }
  return {
    ...{ composed, topology, read },
    checkpoint: (writer) => checkpoints.get(writer)!,
    journals: () => composed.stages.flatMap(({ tasks }) => tasks.map(read)),
    world: {
      wire,
      topologyHash: composed.hash,
      controlTopic: topicOf(name, 'control'),
      incarnation: ({ writer }) => checkpoints.get(writer)!.incarnation,
    },
    async play(lines) {
      for (const service of serviceNames) await start(service)
      const writer = await kafka.plainWriter()
      for (let at = 0; at < lines.length; at += 40) {
        await writer.write(batchesOf(name, partitions, lines.slice(at, at + 40)))
        if (at !== 200) continue
        await running.get('features')!.stop()
        await start('features')
      }
      await announceEnd(kafka, wire, composed.topology)
      const deadlineMs = performance.now() + 90_000
      await verdictHasEnded(kafka, wire, composed.topology, deadlineMs, new AbortController().signal)
      await stop()
      written = await readEverything(kafka, composed)
      checkpoints = checkpointsOf(composed, read)
    },
    async close() {
      await stop()
      await emptyTopics(kafka, planOf(composed.topology))
      await kafka.close()
    },
  }
}

/** Every partition of every topic; their schemas are then at hand. */
async function readEverything(kafka: Kafka, { plan, wire }: Composed): Promise<Map<string, FetchedRecord[]>> {
  const read = new Map<string, FetchedRecord[]>()
  const fetcher = await kafka.fetcher()
  for (const { name, partitions, schema } of plan.topics) {
    for (const { topic, partition } of placesOf({ name, partitions })) {
      const records = await readAll(fetcher, topic, partition)
      const values = records.map(({ value }) => value).filter((value) => value !== null)
      if (schema !== null) await wire.prepare(schema, values)
      read.set(`${topic}/${partition}`, records)
    }
  }
  await fetcher.close()
  return read
}

/** The last checkpoint of every task, by writer. */
function checkpointsOf({ stages, wire }: Composed, read: BrokerRun['read']): Map<string, CheckpointRecord> {
  const checkpoints = new Map<string, CheckpointRecord>()
  for (const { changelog, tasks } of stages) {
    for (const { writer, index } of tasks) {
      const state = folded(read({ topic: changelog.topic, partition: index }))
      checkpoints.set(writer, checkpointIn(wire, state))
    }
  }
  return checkpoints
}

function startService(composed: Composed, name: ServiceName, kafka: Kafka): Promise<Running> {
  const { topology, hash, plan, stages, wire } = composed
  const planned = plan.services[name]
  const ids = new Set(planned.stages.map(({ id }) => id))
  const service = {
    name,
    topology: topology.name,
    topologyHash: hash,
    group: planned.group,
    controlTopic: topicOf(topology.name, 'control'),
    alignmentMs: topology.alignmentMs,
    stages: stages.filter(({ id }) => ids.has(id)),
  }
  const surroundings = {
    KAFKA_BROKERS: inject('brokers'),
    SCHEMA_REGISTRY_URL: inject('registry'),
    TIDEMARK_STATE: join(folder, 'state'),
  }
  return runService(
    service,
    compileConfig(surroundings, folder),
    kafka,
    wire,
    pino({ level: 'silent' }) as Log,
  )
}

function batchesOf(name: string, partitions: number, lines: readonly Line[]) {
  const places = Map.groupBy(
    lines,
    ({ stream, id }) => `${stream}/${partitionOf(Buffer.from(id), partitions)}`,
  )
  return [...places].map(([place, of]) => {
    const [stream, partition] = place.split('/')
    const records = of.map(({ id, value }) => ({ key: Buffer.from(id), value }))
    return { topic: `${name}.${stream}`, partition: Number(partition), records }
  })
}

function placesOf({ name, partitions }: { name: string; partitions: number }) {
  return Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
}
