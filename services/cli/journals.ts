import type { ChangelogEntry, FeaturePart, JournalEntry } from '../../schemas/types.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { type Plan, type Stage, stagesOf } from '../../topologies/plan.ts'
import { topicOf } from '../../topologies/topics.ts'
import { checkpointKey } from '../runtime/changelog.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import type { Wire } from '../runtime/wire.ts'
import { isPayload, type ReadRecord, readAll } from './read-all.ts'

/** How far the entity journals are from event-time order: entries that came after later ones, late events left out. */
export interface OrderSkew {
  readonly entries: number
  readonly behind: number
  readonly maxMs: number
}

export async function readJournals(
  kafka: Kafka,
  wire: Wire,
  plan: Plan,
): Promise<ReadRecord<JournalEntry>[]> {
  const journals: ReadRecord<JournalEntry>[] = []
  for (const { name, kind } of plan.topics) {
    if (kind !== 'entity-journal') continue
    const records = await readAll<JournalEntry>(kafka, wire, name, 'JournalEntry')
    journals.push(...records.filter(({ value }) => isPayload(value)))
  }
  return journals
}

/** Distinct source records that the ingest stage let through, by topic: seen in the journals, or as own parts. */
export async function acceptedByTopic(
  kafka: Kafka,
  wire: Wire,
  topology: Topology,
  journals: readonly ReadRecord<JournalEntry>[],
): Promise<Map<string, number>> {
  const parts = await readAll<FeaturePart>(
    kafka,
    wire,
    topicOf(topology.name, 'feature-parts'),
    'FeaturePart',
  )
  const own = parts.filter(({ value }) => isPayload(value) && value.part === 'own')
  const accepted = new Map<string, Set<string>>()
  for (const { value } of [...journals, ...own]) {
    const { writer, offset } = value.origin
    const topic = writer.split('/')[1] ?? ''
    const places = accepted.get(topic) ?? new Set()
    accepted.set(topic, places.add(`${writer}@${offset}`))
  }
  return new Map([...accepted].map(([topic, places]) => [topic, places.size]))
}

export function orderSkewOf(journals: readonly ReadRecord<JournalEntry>[]): OrderSkew {
  const latest = new Map<number, number>()
  let behind = 0
  let maxMs = 0
  const inTime = journals.filter(({ value }) => !value.late)
  for (const { partition, value } of inTime) {
    const lag = (latest.get(partition) ?? value.time) - value.time
    if (lag > 0) behind += 1
    maxMs = Math.max(maxMs, lag)
    latest.set(partition, Math.max(latest.get(partition) ?? value.time, value.time))
  }
  return { entries: inTime.length, behind, maxMs }
}

export function sourceStages(plan: Plan): Stage[] {
  return stagesOf(plan).filter((stage) => stage.inputs.some(({ source }) => source))
}

/** Duplicates leave no record; the checkpoints, which commit with everything else, count them. By `<stage>/<topic>`. */
export async function duplicatesByInput(kafka: Kafka, wire: Wire, plan: Plan): Promise<Map<string, number>> {
  const duplicates = new Map<string, number>()
  for (const stage of sourceStages(plan)) {
    const entries = await readAll<ChangelogEntry>(kafka, wire, stage.changelog.topic, 'ChangelogEntry')
    const last = new Map<number, number>()
    for (const { key, partition, value } of entries) {
      if (key === checkpointKey) last.set(partition, value.checkpoint?.counts.duplicate ?? 0)
    }
    for (const task of stage.tasks) {
      const place = `${stage.id}/${task.topic}`
      duplicates.set(place, (duplicates.get(place) ?? 0) + (last.get(task.index) ?? 0))
    }
  }
  return duplicates
}
