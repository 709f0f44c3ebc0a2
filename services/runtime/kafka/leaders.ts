import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka as KafkaJs } from 'kafkajs'
import { failureOf, isTransient } from './classify.ts'
import { KafkaUnavailable } from './failures.ts'
import type { TopicPartition } from './fetch.ts'
import { type Broker, type Cluster, openCluster } from './kafkajs-internals.ts'

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** The node id of a partition's leader as the cluster's metadata has it; undefined when there is none. */
export function leaderOf(cluster: Cluster, { topic, partition }: TopicPartition): string | undefined {
  const found = cluster.findTopicPartitionMetadata(topic).find((entry) => entry.partitionId === partition)
  return found === undefined || found.leader < 0 ? undefined : String(found.leader)
}

/**
 * Groups partitions by leader, after one look at fresh metadata when one is unknown.
 * @throws KafkaUnavailable when a partition has no leader
 */
export async function byLeader<T extends TopicPartition>(
  cluster: Cluster,
  items: T[],
): Promise<Map<string, T[]>> {
  await cluster.addMultipleTargetTopics([...new Set(items.map((item) => item.topic))])
  if (items.some((item) => leaderOf(cluster, item) === undefined)) await cluster.refreshMetadata()
  return Map.groupBy(items, (item) => {
    const leader = leaderOf(cluster, item)
    if (leader !== undefined) return leader
    throw new KafkaUnavailable(`${partitionKey(item)} has no leader`, { reason: 'LEADER_NOT_AVAILABLE' })
  })
}

export type Isolation = 'committed' | 'uncommitted'

const patienceMs = 30_000

/** Opens a cluster, trying again for up to 30 s while no broker answers. */
export async function openPatiently(kafkajs: KafkaJs): Promise<Cluster> {
  const deadline = Date.now() + patienceMs
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1000)) {
    try {
      return await openCluster(kafkajs)
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw failureOf(error, 'no broker answers', 'open')
    }
    await sleep(waitMs)
  }
}

/**
 * Asks the leaders for the start or the end of partitions' logs; tries again while leaders move, up to 30 s.
 * @returns offsets by "topic/partition"
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: TopicPartition[],
  which: 'start' | 'end',
  isolation: Isolation,
): Promise<Map<string, number>> {
  const deadline = Date.now() + patienceMs
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 2, 500)) {
    try {
      const leaders = await byLeader(cluster, partitions)
      const parts = [...leaders].map(async ([nodeId, asked]) =>
        askOffsets(await cluster.findBroker({ nodeId }), asked, which === 'start' ? -2 : -1, isolation),
      )
      return new Map((await Promise.all(parts)).flat())
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline)
        throw failureOf(error, 'offsets cannot be listed', 'open')
      await sleep(waitMs)
      await cluster.refreshMetadata().catch(() => undefined)
    }
  }
}

async function askOffsets(
  broker: Broker,
  partitions: TopicPartition[],
  timestamp: number,
  isolation: Isolation,
): Promise<[string, number][]> {
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, asked]) => ({
    topic,
    partitions: asked.map(({ partition }) => ({ partition, timestamp })),
  }))
  const isolationLevel = isolation === 'committed' ? 1 : 0
  const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel, topics })
  return responses.flatMap(({ topic, partitions: answers }) =>
    answers.map(({ partition, offset }): [string, number] => [`${topic}/${partition}`, Number(offset)]),
  )
}
