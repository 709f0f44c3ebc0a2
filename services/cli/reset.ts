import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from '../../topologies/plan.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/client.ts'

/** A second run over the topics of a first would count the first's records: it is refused. */
export async function refuseUsedTopics(kafka: Kafka, plan: Plan): Promise<void> {
  const admin = await kafka.admin()
  try {
    const described = await admin.describeTopics(plan.topics.map(({ name }) => name))
    const places = [...described].flatMap(([topic, { partitions }]) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    )
    const ends = await admin.endOffsets(places, 'uncommitted')
    const used = [...ends].find(([place, end]) => end > 0 && !place.startsWith(`${plan.topology}.topology/`))
    if (used) throw tidemarkError('TM_TOPICS_NOT_EMPTY', used[0])
  } finally {
    await admin.close()
  }
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
