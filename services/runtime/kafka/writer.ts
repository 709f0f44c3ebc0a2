import type { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka as KafkaJs } from 'kafkajs'
import { failureOf, isRefused, isTransient, reasonOf } from './classify.ts'
import type { WriterOptions } from './client.ts'
import type { CodecName } from './compression.ts'
import { KafkaRefused, type WriterPhase } from './failures.ts'
import { type Broker, type Cluster, cutCluster, openCluster } from './kafkajs-internals.ts'
import { byLeader, openPatiently } from './leaders.ts'
import { chunksOf, gather, type ProduceOptions, produceToLeaders, type Sequences } from './produce.ts'

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

/** The writer of a task. It is used until its first failed or unknown call, then closed and opened anew. */
export interface Writer {
  /**
   * Writes all batches and the seal, as the guarantee says:
   * exactly once, in one transaction. When this resolves the commit is certain; readers see the records a moment
   * later, when the broker has written its markers. A new writer with the same id waits for the markers: after it
   * is open, the committed end of a partition counts all that this writer committed.
   * At least once, without a transaction: the seal goes last, in one record batch, and says that all before it is
   * there. (A larger seal makes the commit a transaction.) What a failed commit wrote may stay, and is written again.
   * @throws KafkaFenced, KafkaUnknown or KafkaRefused; afterwards the writer is broken and refuses.
   */
  commit(batches: OutBatch[], seal?: OutBatch): Promise<Produced[]>
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
      return createWriter(await initProducer(cluster, options, deadline), options)
    } catch (error) {
      if (cluster !== undefined) await cutCluster(cluster)
      const failure = failureOf(error, `no writer ${options.transactionalId}`, 'open')
      if (!isTransient(error) || Date.now() > deadline) throw failure
    }
    await sleep(waitMs)
  }
}

interface Session {
  cluster: Cluster
  coordinator: Broker
  producerId: string
  producerEpoch: number
  /** They go on by partition, with and without transactions. */
  sequences: Sequences
}

/** InitProducerId: the fence. It waits while the coordinator still ends the transaction that it found open. */
async function initProducer(cluster: Cluster, options: WriterOptions, deadline: number): Promise<Session> {
  const { transactionalId, timeoutMs = 30_000 } = options
  const coordinator = await cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: 1 })
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    try {
      const answer = await coordinator.initProducerId({ transactionalId, transactionTimeout: timeoutMs })
      const { producerId, producerEpoch } = answer
      return { cluster, coordinator, producerId, producerEpoch, sequences: new Map() }
    } catch (error) {
      if (reasonOf(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error
    }
    await sleep(waitMs)
  }
}

type Act = (
  batches: OutBatch[],
  seal: OutBatch | undefined,
  reached: (phase: WriterPhase) => void,
) => Promise<Produced[]>

function createWriter(session: Session, options: WriterOptions): Writer {
  const { transactionalId, guarantee = 'exactly-once' } = options
  const act = guarantee === 'exactly-once' ? transact(session, options) : writeInOrder(session, options)
  let broken = false
  let busy = false
  let phase: WriterPhase = 'open'

  return {
    get broken() {
      return broken
    },
    async commit(batches, seal) {
      if (broken || busy)
        throw new KafkaRefused(`writer ${transactionalId} cannot be used`, { reason: 'WRITER_BROKEN' })
      busy = true
      try {
        return await act(batches, seal, (reached) => {
          phase = reached
        })
      } catch (error) {
        broken = true
        throw failureOf(error, `commit of ${transactionalId} failed in ${phase}`, phase)
      } finally {
        busy = false
      }
    },
    async close() {
      broken = true
      await cutCluster(session.cluster)
    },
  }
}

/** Exactly once: everything in one transaction. */
function transact(session: Session, options: WriterOptions): Act {
  const { cluster, coordinator, producerId, producerEpoch } = session
  const id = { transactionalId: options.transactionalId, producerId, producerEpoch }
  const produceOptions = produceOptionsOf(session, options, options.transactionalId)
  return async (batches, seal, reached) => {
    const gathered = gather(seal === undefined ? batches : [...batches, seal])
    if (gathered.length === 0) return []
    reached('add-partitions')
    const leaders = await byLeader(cluster, gathered)
    await addPartitions(coordinator, id, gathered)
    reached('produce')
    const produced = await produceToLeaders(cluster, leaders, produceOptions).catch(
      async (error: unknown) => {
        // A refusal may end the service, and readers would wait for the timeout of what nobody ends.
        if (isRefused(error)) await coordinator.endTxn({ ...id, transactionResult: false }).catch(() => {})
        throw error
      },
    )
    reached('end')
    await coordinator.endTxn({ ...id, transactionResult: true })
    return produced
  }
}

/**
 * At least once: the seal after all others. Its partition refuses the batches of an earlier writer as soon as this
 * one has written there, because both have the producer id of the same transactional id, in rising epochs. A seal
 * that does not fit into one record batch could be read by halves, so that commit is a transaction after all.
 */
function writeInOrder(session: Session, options: WriterOptions): Act {
  let current = session
  const write = async (batches: OutBatch[]) => {
    const { cluster } = current
    const gathered = gather(batches)
    if (gathered.length === 0) return []
    return produceToLeaders(
      cluster,
      await byLeader(cluster, gathered),
      produceOptionsOf(current, options, null),
    )
  }
  return async (batches, seal, reached) => {
    if (seal !== undefined && chunksOf(seal.records).length > 1) {
      const written = await transact(current, options)(batches, seal, reached)
      // Partitions take nothing without a transaction before the marker of this one: the next epoch waits for it.
      current = await initProducer(current.cluster, options, Date.now() + patienceMs)
      return written
    }
    reached('produce')
    const written = await write(batches)
    if (seal === undefined) return written
    reached('end')
    return [...written, ...(await write([seal]))]
  }
}

function produceOptionsOf(
  { producerId, producerEpoch, sequences }: Session,
  { compression = 'none' }: WriterOptions,
  transactionalId: string | null,
): ProduceOptions {
  const transactional = transactionalId !== null
  return {
    transactionalId,
    identity: { producerId: Number(producerId), producerEpoch, transactional, compression },
    sequences,
    timeoutMs: 30_000,
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
