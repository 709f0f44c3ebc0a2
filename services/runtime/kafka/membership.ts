import type { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, ConsumerConfig, Kafka as KafkaJs } from 'kafkajs'
import { stickyAssigner } from './assigner.ts'
import { failureOf, isTransient } from './classify.ts'
import type { Position, TopicPartition } from './fetch.ts'
import { type Cluster, consumerWithCluster, cutCluster, shortRetry } from './kafkajs-internals.ts'

export interface MemberOptions {
  groupId: string
  topics: string[]
  sessionTimeoutMs: number
  heartbeatMs: number
  rebalanceTimeoutMs: number
  /** Travels with every join. */
  userData?: Buffer
  /** The whole assignment, after each join; it may repeat. Called synchronously, before anything else happens. */
  onAssigned(partitions: TopicPartition[], memberId: string): void
  /** The coordinator accepted a heartbeat: proof of membership. */
  onHeartbeat?(): void
  /** Membership was lost; a new attempt follows by itself. */
  onCrash(error: Error): void
  /** The member id of a dead predecessor: it leaves the group first, so that nobody waits for its session. */
  previousMemberId?: string
}

export interface Member {
  /** Joins the group; resolves when the consumer runs, which may be before the first assignment. */
  start(): Promise<void>
  /** For lag tools only: never the authority on a position. Failures are swallowed. */
  commitOffsets(offsets: Position[]): Promise<void>
  /** Leaves the group. */
  stop(): Promise<void>
}

/** How long leaving the group may take before the connections are cut. */
const leaveMs = 3000
const firstPauseMs = 100
const longestPauseMs = 2000
const patienceMs = 30_000

/** What a member holds, as it tells the group's leader; and by which id the coordinator knows it. */
interface Membership {
  owned: TopicPartition[]
  generation: number
  memberId: string | undefined
}

/**
 * A member of a consumer group. kafkajs's consumer joins, syncs and sends heartbeats; all its partitions are paused
 * before its first fetch, so that it never reads. Reading is the fetcher's work. When kafkajs gives a consumer up,
 * the next one first takes the last one's membership away, so that the group need not wait for its session.
 */
export function createMember(kafkajs: KafkaJs, options: MemberOptions): Member {
  const held: Membership = { owned: [], generation: -1, memberId: options.previousMemberId }
  let running: Running | undefined
  let stopped = false

  async function open(): Promise<void> {
    const next = makeConsumer(kafkajs, options, held)
    running = next
    listen(next)
    await next.consumer.connect()
    if (held.memberId !== undefined) await leaveFor(next.cluster, options.groupId, held.memberId)
    await next.consumer.subscribe({ topics: options.topics })
    await next.consumer.run({ autoCommit: false, eachBatch: refuseBatch })
  }

  function listen({ consumer }: Running): void {
    const { GROUP_JOIN, HEARTBEAT, CRASH } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => {
      consumer.pause(options.topics.map((topic) => ({ topic })))
      held.owned = listAssignment(payload.memberAssignment)
      held.memberId = payload.memberId
      if (!stopped) options.onAssigned(held.owned, payload.memberId)
    })
    consumer.on(HEARTBEAT, ({ payload }) => {
      held.generation = payload.groupGenerationId
      if (!stopped) options.onHeartbeat?.()
    })
    consumer.on(CRASH, ({ payload }) => {
      if (stopped) return
      options.onCrash(payload.error)
      void openPatiently(Number.POSITIVE_INFINITY)
    })
  }

  /** Tries until a consumer runs, with pauses of 0.1 s to 2 s. After the deadline it throws the last error. */
  async function openPatiently(deadline: number): Promise<void> {
    for (let pauseMs = firstPauseMs; !stopped; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (running !== undefined) await cutCluster(running.cluster)
      try {
        return await open()
      } catch (error) {
        if (Date.now() > deadline || (!isTransient(error) && Number.isFinite(deadline))) {
          throw failureOf(error, `cannot join ${options.groupId}`, 'open')
        }
        if (!stopped) options.onCrash(error as Error)
      }
      await sleep(pauseMs)
    }
  }

  return {
    start: () => openPatiently(Date.now() + patienceMs),
    async commitOffsets(offsets) {
      const entries = offsets.map((entry) => ({ ...entry, offset: String(entry.offset) }))
      await running?.consumer.commitOffsets(entries).catch(() => undefined)
    },
    async stop() {
      stopped = true
      if (running === undefined) return
      const { consumer, cluster } = running
      await Promise.race([
        consumer.disconnect().catch(() => undefined),
        sleep(leaveMs, undefined, { ref: false }),
      ])
      await cutCluster(cluster)
    },
  }
}

interface Running {
  consumer: Consumer
  cluster: Cluster
}

function makeConsumer(kafkajs: KafkaJs, options: MemberOptions, held: Membership): Running {
  const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, heartbeatMs, userData } = options
  const config: ConsumerConfig = {
    groupId,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: heartbeatMs,
    // The sleep of a consumer whose partitions are all paused; a heartbeat can be late by this much.
    maxWaitTimeInMs: Math.min(200, heartbeatMs),
    // kafkajs's own restart would leave the old membership behind, so it is not used.
    retry: { ...shortRetry, retries: 10, restartOnFailure: async () => false },
  }
  return consumerWithCluster(kafkajs, config, (cluster) =>
    stickyAssigner(cluster, () => ({ ...held, userData })),
  )
}

function refuseBatch(): Promise<void> {
  throw new Error('a paused consumer was handed a batch')
}

function listAssignment(assignment: Record<string, number[]>): TopicPartition[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}

/** Removes a dead process's membership, so that the group does not wait for its session to run out. */
async function leaveFor(cluster: Cluster, groupId: string, memberId: string): Promise<void> {
  try {
    const coordinator = await cluster.findGroupCoordinator({ groupId })
    await coordinator.leaveGroup({ groupId, memberId })
  } catch (error) {
    // The group may have forgotten it already. Any other failure costs a session timeout and nothing else.
    if (!isTransient(error)) throw error
  }
}
