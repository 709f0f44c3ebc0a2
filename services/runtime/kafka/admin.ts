import { setTimeout as sleep } from 'node:timers/promises'
import kafkajsModule, { type Kafka as KafkaJs, type Admin as KafkaJsAdmin } from 'kafkajs'
import { failureOf, isTransient, reasonOf } from './classify.ts'
import { KafkaUnavailable } from './failures.ts'
import type { TopicPartition } from './fetch.ts'
import { type Cluster, cutCluster, shortRetry } from './kafkajs-internals.ts'
import { byLeader, listOffsets, openPatiently } from './leaders.ts'

const { AssignerProtocol, ConfigResourceTypes } = kafkajsModule

export interface NewTopic {
  topic: string
  partitions: number
  /** Default: the broker's. */
  replicas?: number
  configs?: Record<string, string>
}

export interface TopicDescription {
  partitions: number
  replicas: number
  /** All configs in force, defaults of the broker included. */
  configs: Record<string, string>
}

export interface Admin {
  /** Creates what does not exist yet and waits for leaders. Returns the names of those created. */
  createTopics(topics: NewTopic[]): Promise<string[]>
  /** Topics that do not exist are left out. */
  describeTopics(topics: string[]): Promise<Map<string, TopicDescription>>
  listTopics(): Promise<string[]>
  /** Sets the given configs and keeps the others that were set on the topic. */
  alterConfigs(topic: string, configs: Record<string, string>): Promise<void>
  deleteTopics(topics: string[]): Promise<void>
  /** Removes records below the offset. */
  deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<void>
  /** Keys are "topic/partition"; isolation as in Fetcher. */
  endOffsets(
    partitions: TopicPartition[],
    isolation: 'committed' | 'uncommitted',
  ): Promise<Map<string, number>>
  startOffsets(partitions: TopicPartition[]): Promise<Map<string, number>>
  /** The members of a group by member id, with the number of partitions that each holds; empty when unknown. */
  groupMembers(groupId: string): Promise<Map<string, number>>
  /** What the group committed for lag tools, by "topic/partition"; partitions without an offset are left out. */
  groupOffsets(groupId: string, topics: string[]): Promise<Map<string, number>>
  close(): Promise<void>
}

/** Opens an admin connection; retries for up to 30 s while no broker answers. */
export async function openAdmin(kafkajs: KafkaJs): Promise<Admin> {
  const cluster = await openPatiently(kafkajs)
  const admin = kafkajs.admin({ retry: { ...shortRetry, retries: 8 } })
  try {
    await admin.connect()
  } catch (error) {
    await cutCluster(cluster)
    throw outsideOf(error)
  }
  return guarded({
    createTopics: (topics) => createMissing(admin, cluster, topics),
    describeTopics: (topics) => settled(() => describe(admin, topics)),
    listTopics: () => admin.listTopics(),
    alterConfigs: (topic, configs) => alter(admin, topic, configs),
    async deleteTopics(topics) {
      const existing = new Set(await admin.listTopics())
      const doomed = topics.filter((topic) => existing.has(topic))
      if (doomed.length > 0) await admin.deleteTopics({ topics: doomed })
    },
    deleteRecords: (partition, beforeOffset) => deleteBelow(cluster, partition, beforeOffset),
    endOffsets: (partitions, isolation) => listOffsets(cluster, partitions, 'end', isolation),
    startOffsets: (partitions) => listOffsets(cluster, partitions, 'start', 'uncommitted'),
    groupMembers: (groupId) => membersOf(admin, groupId),
    groupOffsets: (groupId, topics) => committedBy(admin, groupId, topics),
    async close() {
      await admin.disconnect()
      await cutCluster(cluster)
    },
  })
}

type Call = (...args: never[]) => Promise<unknown>

/** kafkajs's own errors do not leave this folder: callers know four kinds of failure. */
function guarded(admin: Admin): Admin {
  const calls = Object.entries(admin) as [string, Call][]
  const wrapped = calls.map(([name, call]): [string, Call] => [
    name,
    async (...args) => {
      try {
        return await call(...args)
      } catch (error) {
        throw outsideOf(error)
      }
    },
  ])
  return Object.fromEntries(wrapped) as unknown as Admin
}

/** What the network or a moving controller did passes; what Kafka says of the request itself is left as it is. */
function outsideOf(error: unknown): unknown {
  const reason = reasonOf(error)
  const passes = /^(KafkaJS|E[A-Z]+$)/.test(reason) || moving.has(reason)
  return passes || !isTransient(error) ? failureOf(error, 'Kafka does not answer', 'open') : error
}

const moving = new Set([
  'NOT_CONTROLLER',
  'REQUEST_TIMED_OUT',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])

async function createMissing(admin: KafkaJsAdmin, cluster: Cluster, topics: NewTopic[]): Promise<string[]> {
  const existing = new Set(await admin.listTopics())
  const missing = topics.filter(({ topic }) => !existing.has(topic))
  if (missing.length === 0) return []
  await admin.createTopics({
    waitForLeaders: false,
    timeout: 10_000,
    topics: missing.map(({ topic, partitions, replicas, configs = {} }) => ({
      topic,
      numPartitions: partitions,
      configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
      ...(replicas === undefined ? {} : { replicationFactor: replicas }),
    })),
  })
  const created = missing.map(({ topic }) => topic)
  await untilLed(admin, created)
  // A leader that is named may not have opened its log yet; one that answers for it has.
  const places = missing.flatMap(({ topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  await listOffsets(cluster, places, 'end', 'uncommitted')
  return created
}

/** A broker learns of new and deleted topics a moment after the controller has decided. */
const settleMs = 15_000
const unsettled = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'])

async function untilLed(admin: KafkaJsAdmin, topics: string[]): Promise<void> {
  await settled(async () => {
    const { topics: found } = await admin.fetchTopicMetadata({ topics })
    const led = found.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
    return led && found.length === topics.length ? true : undefined
  })
}

/** Asks again while brokers do not know yet what was created or deleted. */
async function settled<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + settleMs
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
      if (performance.now() > deadlineMs)
        throw new KafkaUnavailable('topics have no leaders', { reason: 'NO_LEADER' })
    } catch (error) {
      if (!isUnsettled(error) || performance.now() > deadlineMs) throw error
    }
    await sleep(50)
  }
}

/** kafkajs wraps what a broker said in what it tried, more than once. */
function isUnsettled(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('type' in error && typeof error.type === 'string' && unsettled.has(error.type)) return true
  return isUnsettled(error.cause)
}

async function describe(admin: KafkaJsAdmin, asked: string[]): Promise<Map<string, TopicDescription>> {
  const existing = new Set(await admin.listTopics())
  const topics = asked.filter((topic) => existing.has(topic))
  if (topics.length === 0) return new Map()
  const { topics: found } = await admin.fetchTopicMetadata({ topics })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  })
  const configs = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
  return new Map(
    found.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicas: partitions[0]?.replicas.length ?? 0,
        configs: configs.get(name) ?? {},
      },
    ]),
  )
}

/** Kafka's source number of a config that was set on the topic itself. */
const setOnTopic = 1

/** AlterConfigs replaces everything that was set on a topic, so what is there is sent along. */
async function alter(admin: KafkaJsAdmin, topic: string, configs: Record<string, string>): Promise<void> {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
  const entries = resources[0]?.configEntries ?? []
  const merged = new Map(
    entries
      .filter((entry) => Number(entry.configSource) === setOnTopic)
      .map(({ configName, configValue }) => [configName, configValue]),
  )
  for (const [name, value] of Object.entries(configs)) merged.set(name, value)
  const configEntries = [...merged].map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
}

/** kafkajs's own deleteTopicRecords fails with KafkaJSBrokerNotFound; its broker's call works. */
async function deleteBelow(cluster: Cluster, partition: TopicPartition, beforeOffset: number): Promise<void> {
  for (const [nodeId, [of]] of await byLeader(cluster, [partition])) {
    const broker = await cluster.findBroker({ nodeId })
    const partitions = [{ partition: of!.partition, offset: String(beforeOffset) }]
    await broker.deleteRecords({ topics: [{ topic: of!.topic, partitions }] })
  }
}

async function membersOf(admin: KafkaJsAdmin, groupId: string): Promise<Map<string, number>> {
  const { groups } = await admin.describeGroups([groupId])
  const members = groups[0]?.members ?? []
  return new Map(
    members.map(({ memberId, memberAssignment }) => {
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment)
      return [memberId, Object.values(decoded?.assignment ?? {}).flat().length]
    }),
  )
}

async function committedBy(
  admin: KafkaJsAdmin,
  groupId: string,
  topics: string[],
): Promise<Map<string, number>> {
  const committed = await admin.fetchOffsets({ groupId, topics })
  const entries = committed.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }): [string, number] => [`${topic}/${partition}`, Number(offset)]),
  )
  return new Map(entries.filter(([, offset]) => offset >= 0))
}
