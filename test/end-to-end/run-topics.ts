import type { ChangelogEntry, Checkpoint, Origin } from '../../schemas/types.ts'
import { checkpointKey } from '../../services/runtime/changelog.ts'
import { connectRegistry, type Registry } from '../../services/runtime/codec/registry.ts'
import { decodeSourceSync, sourceSchemas } from '../../services/runtime/codec/source.ts'
import { avroWire } from '../../services/runtime/codec/wire.ts'
import { connectKafka, type Kafka } from '../../services/runtime/kafka/client.ts'
import { readTopic } from '../../services/runtime/read-topic.ts'
import type { Wire } from '../../services/runtime/wire.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Plan, planOf, stagesOf } from '../../topologies/plan.ts'
import type { TopicKindName } from '../../topologies/topics.ts'

/** A record as it stands in its topic, decoded. */
export interface Stored<T> {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: T
}

/** Marks carry time only: `kind` is absent in topics that have none. */
export interface Stamped {
  readonly kind?: string
  readonly origin: Origin
  readonly watermark: number
}

/** Everything that a finished run left behind, read committed, by topic and in offset order per partition. */
export interface RunTopics {
  readonly topology: Topology
  readonly plan: Plan
  /** The user's own topics; undefined stands for bytes that decode to nothing. */
  readonly sources: ReadonlyMap<string, readonly Stored<Record<string, unknown> | undefined>[]>
  /** All topics of a kind together, marks included. */
  of<T>(kind: TopicKindName): readonly Stored<T & Stamped>[]
  /** The last checkpoint of every task, by its writer. */
  readonly checkpoints: ReadonlyMap<string, Checkpoint>
}

export async function readRun(
  brokers: string,
  registryUrl: string,
  topologyPath: string,
): Promise<RunTopics> {
  const { topology } = await loadTopology(topologyPath)
  const plan = planOf(topology)
  const kafka = connectKafka({ brokers: brokers.split(','), clientId: 'end-to-end' })
  try {
    const registry = await connectRegistry(registryUrl)
    const wire = await avroWire(registry, plan.topics)
    const sources = new Map<string, Stored<Record<string, unknown> | undefined>[]>()
    const byKind = new Map<string, Stored<unknown>[]>()
    for (const { name, kind, schema } of plan.topics) {
      if (kind === 'source') sources.set(name, await readSource(kafka, registry, name))
      else if (kind !== 'changelog' && schema !== null) {
        const read = await readOwn(kafka, wire, name, schema)
        byKind.set(kind, [...(byKind.get(kind) ?? []), ...read])
      }
    }
    const checkpoints = await readCheckpoints(kafka, wire, plan)
    const of = <T>(kind: TopicKindName) => (byKind.get(kind) ?? []) as Stored<T & Stamped>[]
    return { topology, plan, sources, of, checkpoints }
  } finally {
    await kafka.close()
  }
}

export function isMark({ value }: { readonly value: { readonly kind?: string } }): boolean {
  return value.kind === 'mark' || value.kind === 'idle'
}

/** By partition, in order; partitions that hold nothing are left out. */
export function byPartition<T>(records: readonly Stored<T>[]): (readonly Stored<T>[])[] {
  return [...Map.groupBy(records, ({ partition }) => partition).values()]
}

async function readSource(
  kafka: Kafka,
  registry: Registry,
  topic: string,
): Promise<Stored<Record<string, unknown> | undefined>[]> {
  const raw = await collect(readTopic(kafka, topic))
  const schemas = await sourceSchemas(
    raw.map(({ value }) => value),
    registry,
  )
  return raw.map(({ partition, offset, timestamp, key, value }) => {
    const decoded = decodeSourceSync(value, schemas)
    const place = { partition, offset, timestamp, key: key?.toString() ?? null }
    return { ...place, value: decoded.ok ? { ...decoded.value } : undefined }
  })
}

async function readOwn(kafka: Kafka, wire: Wire, topic: string, schema: string): Promise<Stored<unknown>[]> {
  const raw = await collect(readTopic(kafka, topic))
  await wire.prepare(
    schema,
    raw.flatMap(({ value }) => (value === null ? [] : [value])),
  )
  return raw.flatMap(({ partition, offset, timestamp, key, value }) => {
    if (value === null) return []
    const place = { partition, offset, timestamp, key: key?.toString() ?? null }
    return [{ ...place, value: wire.decode(schema, value) }]
  })
}

async function readCheckpoints(kafka: Kafka, wire: Wire, plan: Plan): Promise<Map<string, Checkpoint>> {
  const checkpoints = new Map<string, Checkpoint>()
  for (const { changelog, tasks } of stagesOf(plan)) {
    const entries = (await readOwn(
      kafka,
      wire,
      changelog.topic,
      'ChangelogEntry',
    )) as Stored<ChangelogEntry>[]
    for (const { key, partition, value } of entries) {
      const task = tasks.find(({ index }) => index === partition)
      if (key === checkpointKey && value.checkpoint && task) checkpoints.set(task.writer, value.checkpoint)
    }
  }
  return checkpoints
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
