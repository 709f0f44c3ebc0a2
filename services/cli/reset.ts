import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from '../../topologies/plan.ts'
import type { TopicSpec } from '../../topologies/topics.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Admin } from '../runtime/kafka/admin.ts'
import type { Kafka } from '../runtime/kafka/client.ts'

/** A second run over the topics of a first would count the first's records: it is refused. */
export async function refuseUsedTopics(kafka: Kafka, plan: Plan): Promise<void> {
  const admin = await kafka.admin()
  try {
    const used = await firstUsed(
      admin,
      plan.topics.filter(({ kind }) => kind !== 'topology'),
    )
    if (used !== undefined) throw tidemarkError('TM_TOPICS_NOT_EMPTY', used)
  } finally {
    await admin.close()
  }
}

/** The first partition of these topics that has ever held a record. */
export async function firstUsed(admin: Admin, topics: readonly TopicSpec[]): Promise<string | undefined> {
  const described = await admin.describeTopics(topics.map(({ name }) => name))
  const places = [...described].flatMap(([topic, { partitions }]) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  const ends = await admin.endOffsets(places, 'uncommitted')
  return [...ends].find(([, end]) => end > 0)?.[0]
}

/** Deletes the topics of a topology, the user's own included, and waits until they are gone. */
export async function emptyTopics(kafka: Kafka, plan: Plan): Promise<void> {
  const admin = await kafka.admin()
  try {
    const names = plan.topics.map(({ name }) => name)
    const existing = [...(await admin.describeTopics(names)).keys()]
    if (existing.length > 0) await admin.deleteTopics(existing)
    while ((await admin.describeTopics(names)).size > 0) await sleep(100)
  } finally {
    await admin.close()
  }
}
