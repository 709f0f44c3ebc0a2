import { catalogue, type RecordName, valueSubject } from '../../schemas/catalogue.ts'
import { beforeTime, type Data, type Operator } from '../../services/domain/operator.ts'
import type { Registry } from '../../services/runtime/codec/registry.ts'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import { type Bytes, readInternal } from '../../services/runtime/read.ts'
import type { Service } from '../../services/runtime/run.ts'
import type { Stage } from '../../services/runtime/stage.ts'
import { journalWriter } from './records.ts'

/** A journal record as the operator sees it. */
interface Payment {
  readonly key: string
  readonly id: string
  readonly time: number
  readonly late: boolean
  readonly values: { readonly amount: number }
}

interface Totals {
  readonly count: number
  readonly sum: number
  readonly max: number
}

export interface BenchTopic {
  readonly name: string
  readonly schema: RecordName
  readonly configs: Readonly<Record<string, string>>
}

/** The topics of one bench service; its name makes them its own. */
export function topicsOf(name: string): Record<'journal' | 'parts' | 'changelog' | 'control', BenchTopic> {
  const compacted = { 'cleanup.policy': 'compact' }
  return {
    journal: { name: `${name}.card-journal`, schema: 'JournalEntry', configs: {} },
    parts: { name: `${name}.feature-parts`, schema: 'FeaturePart', configs: {} },
    changelog: { name: `${name}.changelog`, schema: 'ChangelogEntry', configs: compacted },
    control: { name: `${name}.control`, schema: 'Control', configs: compacted },
  }
}

/** Creates the topics, one partition each, and registers their schemas. */
export async function applyBench(kafka: Kafka, registry: Registry, name: string): Promise<void> {
  const topics = Object.values(topicsOf(name))
  const admin = await kafka.admin()
  await admin.createTopics(
    topics.map(({ name: topic, configs }) => ({ topic, partitions: 1, configs: { ...configs } })),
  )
  await admin.close()
  for (const { name: topic, schema } of topics) {
    const { schema: avro, compatibility } = catalogue[schema]
    await registry.register(valueSubject(topic), avro, compatibility)
  }
}

export async function removeBench(kafka: Kafka, name: string): Promise<void> {
  const admin = await kafka.admin()
  await admin.deleteTopics(Object.values(topicsOf(name)).map((topic) => topic.name))
  await admin.close()
}

/** A service of one stage with one task, made as the stages of Tidemark are, with a small aggregate per key. */
export function benchService(
  name: string,
  bytes: Bytes,
  seen: (records: number) => void = () => {},
): Service {
  const stage = benchStage(name, bytes)
  const counted: Stage = {
    ...stage,
    read: (records) => {
      seen(records.length)
      return stage.read(records)
    },
  }
  return {
    name: 'bench',
    topology: name,
    topologyHash: 'bench',
    group: `${name}.bench`,
    controlTopic: topicsOf(name).control.name,
    alignmentMs: 60_000,
    stages: [counted],
  }
}

function benchStage(name: string, bytes: Bytes): Stage {
  const { journal, parts, changelog } = topicsOf(name)
  // As a journal it would carry marks too, and every record of it shall be the answer to one.
  const writer = `entity-card/${journal.name}/0`
  return {
    id: 'entity-card-v1',
    inputs: [{ topic: journal.name, partitions: 1, source: false, writers: [journalWriter], own: false }],
    outputs: {
      parts: { topic: parts.name, partitions: 1, schema: parts.schema, by: 'key', journal: false },
    },
    tasks: [
      { index: 0, topic: journal.name, partition: 0, writer, transactionalId: `${name}.entity-card.0` },
    ],
    changelog: { topic: changelog.name },
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    timekeepers: () => [journalWriter],
    operator: () => totals as Operator<unknown>,
    read: readInternal(bytes, journal.schema),
  }
}

/** Count, sum and largest amount per card; each payment is answered with the three. */
const totals: Operator<Payment> = {
  turn(state, { key, id, time, late, values: { amount } }) {
    const before = (state.get(key) ?? { count: 0, sum: 0, max: beforeTime }) as unknown as Totals
    const after = {
      count: before.count + 1,
      sum: before.sum + amount,
      max: Math.max(before.max, amount),
    }
    const statuses = { amountMax: 'value', amountSum: 'value', payments: 'value' }
    const values = { amountMax: after.max, amountSum: after.sum, payments: after.count }
    const part = { kind: 'part', id, part: 'card', parts: [], time, late, values, statuses, event: {} }
    return {
      verdict: 'applied',
      put: [[key, after satisfies Data]],
      emit: [{ to: 'parts', key: id, value: part }],
    }
  },
}
