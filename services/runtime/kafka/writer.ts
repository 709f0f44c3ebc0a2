import type { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka as KafkaJs } from 'kafkajs'
import { failureOf, isTransient, reasonOf } from './classify.ts'
import type { WriterOptions } from './client.ts'
import type { CodecName } from './compression.ts'
import { KafkaRefused, type WriterPhase } from './failures.ts'
import { type Broker, type Cluster, cutCluster, openCluster } from './kafkajs-internals.ts'
import { byLeader, openPatiently } from './leaders.ts'
import { gather, produceToLeaders } from './produce.ts'

export interface OutRecord {
  key: Buffer | null
  value: Buffer | null
  /** Milliseconds; the time of writing when left out. */
  timestamp?: number
  headers?: Record<string, Buffer | string>
}

export interface OutBatch {
  topic: string
  partition: number
  records: OutRecord[]
}

export interface Produced {
  topic: string
  partition: number
  /** The offset of the first record. */
  baseOffset: number
  /**
   * The offset of the last record. It is baseOffset + count − 1 when this writer is the only one on the
   * partition, or when the records fitted into one record batch.
   */
  lastOffset: number
  count: number
}

/** A transactional writer. It is used until its first failed or unknown call, then closed and opened anew. */
export interface Writer {
  /**
   * Writes all batches in one transaction and commits it. When this resolves the commit is certain; readers see
   * the records a moment later, when the broker has written its markers. A new writer with the same id waits for
   * the markers: after it is open, the committed end of a partition counts all that this writer committed.
   * @throws KafkaFenced, KafkaUnknown or KafkaRefused; afterwards the writer is broken and refuses.
   */
  commit(batches: OutBatch[]): Promise<Produced[]>
  readonly broken: boolean
  close(): Promise<void>
}

/** A writer without transactions: at least once. The caller retries what threw, and may write it twice. */
export interface PlainWriter {
  /** @throws KafkaUnknown, KafkaRefused or KafkaUnavailable; some of the records may be written all the same. */
  write(batches: OutBatch[]): Promise<Produced[]>
  close(): Promise<void>
}

const patienceMs = 30_000

/** Opens a writer: once this resolves, earlier writers with the same id are fenced. Retries for up to 30 s. */
export async function openWriter(kafkajs: KafkaJs, options: WriterOptions): Promise<Writer> {
  const deadline = Date.now() + patienceMs
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 250)) {
    let cluster: Cluster | undefined
    try {
      cluster = await openCluster(kafkajs)
      return createWriter(cluster, await initProducer(cluster, options, deadline), options)
    } catch (error) {
      if (cluster !== undefined) await cutCluster(cluster)
      const failure = failureOf(error, `no writer ${options.transactionalId}`, 'open')
      if (!isTransient(error) || Date.now() > deadline) throw failure
    }
    await sleep(waitMs)
  }
}

interface Session {
  coordinator: Broker
  producerId: string
  producerEpoch: number
}

/** InitProducerId: the fence. It waits while the coordinator still ends the transaction that it found open. */
async function initProducer(cluster: Cluster, options: WriterOptions, deadline: number): Promise<Session> {
  const { transactionalId, timeoutMs = 30_000 } = options
  const coordinator = await cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: 1 })
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    try {
      const answer = await coordinator.initProducerId({ transactionalId, transactionTimeout: timeoutMs })
      return { coordinator, producerId: answer.producerId, producerEpoch: answer.producerEpoch }
    } catch (error) {
      if (reasonOf(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error
    }
    await sleep(waitMs)
  }
}

function createWriter(cluster: Cluster, session: Session, options: WriterOptions): Writer {
  const { transactionalId, compression = 'none' } = options
  const { coordinator, ...producer } = session
  const id = { transactionalId, ...producer }
  const identity = { ...producer, producerId: Number(producer.producerId), transactional: true, compression }
  const produceOptions = {
    transactionalId,
    identity,
    sequences: new Map<string, number>(),
    timeoutMs: 30_000,
  }
  let broken = false
  let busy = false
  let phase: WriterPhase = 'open'

  async function transact(batches: OutBatch[]): Promise<Produced[]> {
    phase = 'add-partitions'
    const leaders = await byLeader(cluster, batches)
    await addPartitions(coordinator, id, batches)
    phase = 'produce'
    const produced = await produceToLeaders(cluster, leaders, produceOptions)
    phase = 'end'
    await coordinator.endTxn({ ...id, transactionResult: true })
    return produced
  }

  return {
    get broken() {
      return broken
    },
    async commit(batches) {
      if (broken || busy)
        throw new KafkaRefused(`writer ${transactionalId} cannot be used`, { reason: 'WRITER_BROKEN' })
      const gathered = gather(batches)
      if (gathered.length === 0) return []
      busy = true
      try {
        return await transact(gathered)
      } catch (error) {
        broken = true
        throw failureOf(error, `commit of ${transactionalId} failed in ${phase}`, phase)
      } finally {
        busy = false
      }
    },
    async close() {
      broken = true
      await cutCluster(cluster)
    },
  }
}

/** The only retry in a transaction: the coordinator may still be writing the markers of the one before. */
async function addPartitions(
  coordinator: Broker,
  id: { transactionalId: string; producerId: string; producerEpoch: number },
  batches: OutBatch[],
): Promise<void> {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic)
  const topics = [...byTopic].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition }) => partition),
  }))
  const deadline = Date.now() + 10_000
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    try {
      await coordinator.addPartitionsToTxn({ ...id, topics })
      return
    } catch (error) {
      if (reasonOf(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error
    }
    await sleep(waitMs)
  }
}

/** Opens a writer without transactions. */
export async function openPlainWriter(kafkajs: KafkaJs, compression: CodecName): Promise<PlainWriter> {
  const cluster = await openPatiently(kafkajs)
  const identity = { producerId: -1, producerEpoch: -1, transactional: false, compression }
  const options = { transactionalId: null, identity, sequences: null, timeoutMs: 30_000 }
  let stale = false
  return {
    async write(batches) {
      try {
        if (stale) await cluster.refreshMetadata()
        stale = false
        return await produceToLeaders(cluster, await byLeader(cluster, gather(batches)), options)
      } catch (error) {
        stale = true
        throw failureOf(error, 'the records may not be written', 'produce')
      }
    },
    close: () => cutCluster(cluster),
  }
}
