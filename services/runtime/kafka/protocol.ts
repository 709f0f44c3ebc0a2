import type { Buffer } from 'node:buffer'
import type { AbortedTransaction } from './committed.ts'
import type { FetchOptions, Position, TopicPartition } from './fetch.ts'
import { newFrame, readerOf } from './frame.ts'
import type { BrokerRequest } from './kafkajs-internals.ts'

/** Kafka's numbers of the errors that a Fetch or Produce answer can bring; their names are Kafka's. */
const errorNames: Record<number, string> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  1: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_FOR_PARTITION',
  7: 'REQUEST_TIMED_OUT',
  9: 'REPLICA_NOT_AVAILABLE',
  10: 'MESSAGE_TOO_LARGE',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  35: 'UNSUPPORTED_VERSION',
  43: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  44: 'POLICY_VIOLATION',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  46: 'DUPLICATE_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  49: 'INVALID_PRODUCER_ID_MAPPING',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  56: 'KAFKA_STORAGE_ERROR',
  59: 'UNKNOWN_PRODUCER_ID',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  87: 'INVALID_RECORD',
  90: 'PRODUCER_FENCED',
}

/** The name of an error number; empty for 0, which is success. */
export function errorName(code: number): string {
  return code === 0 ? '' : (errorNames[code] ?? `KAFKA_ERROR_${code}`)
}

export interface PartitionBatch extends TopicPartition {
  /** One encoded record batch. */
  batch: Buffer
}

export interface ProduceAnswer extends TopicPartition {
  errorCode: number
  baseOffset: number
}

/** Produce, version 7, acknowledged by all replicas in sync. */
export function produceRequest(
  transactionalId: string | null,
  batches: PartitionBatch[],
  timeoutMs: number,
): BrokerRequest<ProduceAnswer[]> {
  const frame = newFrame().string(transactionalId).int16(-1).int32(timeoutMs)
  const topics = Map.groupBy(batches, (batch) => batch.topic)
  frame.int32(topics.size)
  for (const [topic, partitions] of topics) {
    frame.string(topic).int32(partitions.length)
    for (const { partition, batch } of partitions) frame.int32(partition).bytes(batch)
  }
  return { apiKey: 0, apiVersion: 7, apiName: 'Produce', body: frame.done(), decode: readProduceAnswer }
}

function readProduceAnswer(payload: Buffer): { value: ProduceAnswer[]; throttleMs: number } {
  const reader = readerOf(payload)
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => {
      const answer = {
        topic,
        partition: reader.int32(),
        errorCode: reader.int16(),
        baseOffset: reader.int64(),
      }
      reader.int64() // the log append time
      reader.int64() // the start of the log
      return answer
    })
  })
  return { value: topics.flat(), throttleMs: reader.int32() }
}

export interface PartitionAnswer extends TopicPartition {
  errorCode: number
  highWatermark: number
  lastStableOffset: number
  logStart: number
  aborted: AbortedTransaction[]
  batches: Buffer
}

/** Fetch, version 11, read_committed, without a fetch session. The broker fills partitions in the given order. */
export function fetchRequest(positions: Position[], options: FetchOptions): BrokerRequest<PartitionAnswer[]> {
  const frame = newFrame()
    .int32(-1)
    .int32(options.maxWaitMs)
    .int32(options.minBytes ?? 1)
  frame
    .int32(options.maxBytes ?? 10 * 1024 * 1024)
    .int8(1)
    .int32(0)
    .int32(-1)
  const topics = Map.groupBy(positions, (position) => position.topic)
  frame.int32(topics.size)
  for (const [topic, partitions] of topics) {
    frame.string(topic).int32(partitions.length)
    for (const { partition, offset } of partitions) {
      frame.int32(partition).int32(-1).int64(offset).int64(-1)
      frame.int32(options.maxBytesPerPartition ?? 1024 * 1024)
    }
  }
  frame.int32(0).string('')
  const { maxWaitMs } = options
  return {
    apiKey: 1,
    apiVersion: 11,
    apiName: 'Fetch',
    body: frame.done(),
    decode: readFetchAnswer,
    maxWaitMs,
  }
}

function readFetchAnswer(payload: Buffer): { value: PartitionAnswer[]; throttleMs: number } {
  const reader = readerOf(payload)
  const throttleMs = reader.int32()
  const errorCode = reader.int16()
  if (errorCode !== 0) throw new Error(`the fetch was refused: ${errorName(errorCode)}`)
  reader.int32() // the session
  const topics = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => readPartitionAnswer(reader, topic))
  })
  return { value: topics.flat(), throttleMs }
}

function readPartitionAnswer(reader: ReturnType<typeof readerOf>, topic: string): PartitionAnswer {
  const answer = {
    topic,
    partition: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: reader.int64(),
    lastStableOffset: reader.int64(),
    logStart: reader.int64(),
    aborted: reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() })),
  }
  reader.int32() // the replica that the broker would rather be read from
  return { ...answer, batches: reader.bytes() }
}
