import { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'
import type { Assigner, Consumer, ConsumerConfig, Kafka as KafkaJs } from 'kafkajs'
import { KafkaUnavailable } from './failures.ts'

/** What is used of kafkajs 2.2.4 without its published types saying so. The version is pinned for this file. */

interface TopicPartitions {
  topic: string
  partitions: number[]
}

interface Transaction {
  transactionalId: string
  producerId: string
  producerEpoch: number
}

interface Connection {
  rejectRequests(error: Error): void
  disconnect(): Promise<unknown>
  socket?: { destroy(): void }
}

interface ConnectionPool {
  pool: Connection[]
  send(request: unknown): Promise<unknown>
}

export interface Broker {
  nodeId: number
  connectionPool: ConnectionPool
  disconnect(): Promise<void>
  initProducerId(request: {
    transactionalId: string
    transactionTimeout: number
  }): Promise<{ producerId: string; producerEpoch: number }>
  addPartitionsToTxn(request: Transaction & { topics: TopicPartitions[] }): Promise<unknown>
  endTxn(request: Transaction & { transactionResult: boolean }): Promise<unknown>
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
  listOffsets(request: {
    replicaId: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>
  deleteRecords(request: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }): Promise<unknown>
}

export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  addMultipleTargetTopics(topics: string[]): Promise<void>
  findBroker(node: { nodeId: string }): Promise<Broker>
  findGroupCoordinator(of: { groupId: string; coordinatorType?: 0 | 1 }): Promise<Broker>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  brokerPool: { brokers: Record<string, Broker>; seedBroker?: Broker }
}

/** A request that is encoded and decoded here, not by kafkajs. */
export interface BrokerRequest<T> {
  apiKey: number
  apiVersion: number
  apiName: string
  body: { buf: Buffer; buffer: Buffer }
  decode(payload: Buffer): { value: T; throttleMs: number }
  /** How long the broker may hold the answer back. */
  maxWaitMs?: number
}

/**
 * kafkajs's own retries are kept short: this side of the door decides what is tried again, and for how long.
 * They are always given in full, because kafkajs changes its defaults when NODE_ENV is "test".
 */
export const shortRetry = { initialRetryTime: 50, maxRetryTime: 500, factor: 0.2, multiplier: 2, retries: 3 }

/** Sends a request over kafkajs's connections: fetches have a socket of their own, the rest shares one. */
export async function ask<T>(broker: Broker, request: BrokerRequest<T>): Promise<T> {
  const { apiKey, apiVersion, apiName, body } = request
  try {
    return (await broker.connectionPool.send({
      request: { apiKey, apiVersion, apiName, encode: async () => body },
      response: {
        decode: async (payload: Buffer) => {
          const { value, throttleMs } = request.decode(payload)
          return { value, clientSideThrottleTime: throttleMs }
        },
        parse: async (answer: { value: T }) => answer.value,
      },
      requestTimeout: request.maxWaitMs === undefined ? null : request.maxWaitMs + 5000,
    })) as T
  } catch (error) {
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect()
    throw error
  }
}

/**
 * Makes a consumer and hands out the cluster that it works on: kafkajs gives it to assigner factories only,
 * which it calls while the consumer is made.
 */
export function consumerWithCluster(
  kafkajs: KafkaJs,
  config: ConsumerConfig,
  assigner: (cluster: Cluster) => Assigner,
): { consumer: Consumer; cluster: Cluster } {
  let cluster: Cluster | undefined
  const consumer = kafkajs.consumer({
    ...config,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (given) => {
        cluster = given.cluster as unknown as Cluster
        return assigner(cluster)
      },
    ],
  })
  if (cluster === undefined) throw new Error('kafkajs did not hand out its cluster')
  return { consumer, cluster }
}

/** Opens a cluster with sockets of its own. */
export async function openCluster(kafkajs: KafkaJs): Promise<Cluster> {
  const unused: Assigner = {
    name: 'unused',
    version: 0,
    assign: async () => [],
    protocol: () => ({ name: 'unused', metadata: Buffer.alloc(0) }),
  }
  const { cluster } = consumerWithCluster(kafkajs, { groupId: 'unused' }, () => unused)
  try {
    await cluster.connect()
    // Without metadata kafkajs finds no broker to ask for a coordinator, and pauses before it looks again.
    await cluster.refreshMetadata()
    return cluster
  } catch (error) {
    await cutCluster(cluster)
    throw error
  }
}

/** Closes a cluster for good, without waiting for answers: what is under way fails, and nothing connects again. */
export async function cutCluster(cluster: Cluster): Promise<void> {
  const refuse = () => Promise.reject(new KafkaUnavailable('the connection was closed', { reason: 'CLOSED' }))
  Object.assign(cluster, {
    connect: refuse,
    findBroker: refuse,
    refreshMetadata: refuse,
    findGroupCoordinator: refuse,
  })
  const { brokers, seedBroker } = cluster.brokerPool
  const pools = new Set(Object.values(brokers).map((broker) => broker.connectionPool))
  if (seedBroker !== undefined) pools.add(seedBroker.connectionPool)
  for (const { pool } of pools) {
    for (const connection of pool) {
      await cutConnection(connection, new KafkaUnavailable('the connection was closed', { reason: 'CLOSED' }))
    }
  }
}

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  pending: unknown[]
  checkPendingRequests(): void
}

/**
 * kafkajs arms a timer of one millisecond again and again on every idle connection (tulios/kafkajs#1751).
 * A check is only needed while something waits; without throttling an answer triggers it.
 */
export function calmRequestQueue(): void {
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as {
    prototype: { scheduleCheckPendingRequests(this: RequestQueue): void }
  }
  queue.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue) {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return
    const waitMs = Math.max(10, this.throttledUntil - Date.now())
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, waitMs)
  }
}

interface LiveConnection extends Connection {
  isConnected(): boolean
  connect(): Promise<unknown>
  send(request: unknown): Promise<unknown>
}

const connectionClass = createRequire(import.meta.url)('kafkajs/src/network/connection.js') as {
  prototype: LiveConnection
}
const { connect: connectAsIs, send: sendAsIs } = connectionClass.prototype

/**
 * kafkajs keeps what came of an answer that a reset cut off, reads all answers of the next connection behind it, and
 * recognises none of them. And it stays with a connection on which an answer never came, which may be dead in one
 * direction for a quarter of an hour. Here each connection begins with nothing, and ends with its first lost answer.
 */
export function startConnectionsAfresh(): void {
  const { prototype } = connectionClass
  prototype.connect = function connect(this: LiveConnection) {
    if (!this.isConnected()) Object.assign(this, { chunks: [], bytesBuffered: 0, bytesNeeded: 4 })
    return connectAsIs.call(this)
  }
  prototype.send = async function send(this: LiveConnection, request: unknown) {
    try {
      return await sendAsIs.call(this, request)
    } catch (error) {
      if ((error as Error).name === 'KafkaJSRequestTimeoutError') await cutConnection(this, error as Error)
      throw error
    }
  }
}

/** Destroyed, not ended: an answer that is late must not come among those of the next connection. */
async function cutConnection(connection: Connection, error: Error): Promise<void> {
  connection.rejectRequests(error)
  await connection.disconnect()
  connection.socket?.destroy()
}
