import type { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka as KafkaJs } from 'kafkajs'
import { reasonOf } from './classify.ts'
import { KafkaUnavailable } from './failures.ts'
import { cutCluster } from './kafkajs-internals.ts'
import { listOffsets, openPatiently } from './leaders.ts'
import { fetchOnce, newPolls } from './polls.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

export interface Position extends TopicPartition {
  /** The next offset to read. */
  offset: number
}

export interface FetchedRecord {
  topic: string
  partition: number
  offset: number
  /** Milliseconds. */
  timestamp: number
  /** Key and value are views into the answer: copy what is kept for long. */
  key: Buffer | null
  value: Buffer | null
  /** Without a prototype; of a repeated header the last one, of a null header an empty buffer. */
  headers: Record<string, Buffer>
}

export interface FetchAnswer {
  topic: string
  partition: number
  /** Committed data records only, in offset order. */
  records: FetchedRecord[]
  /** The next position: past control batches, aborted and compacted records. */
  nextOffset: number
  highWatermark: number
  lastStableOffset: number
  logStart: number
  /**
   * 'offset-out-of-range': the position is not in the log (below logStart, or above the end).
   * 'undecodable': the record batch at the position is broken (checksum, codec, format, or larger than the
   * bound when decompressed); `detail` says why and `nextOffset` is the position after it.
   */
  error?: 'offset-out-of-range' | 'undecodable'
  detail?: string
}

export interface FetchOptions {
  /** How long a broker may wait for minBytes. The call returns with the first leader that answers. */
  maxWaitMs: number
  /** Default 1. */
  minBytes?: number
  /** Default 10 MiB for each leader. */
  maxBytes?: number
  /** Default 1 MiB. */
  maxBytesPerPartition?: number
}

export interface Fetcher {
  /**
   * One request per leader, concurrently. Partitions whose leader did not answer (moved, away, still polling)
   * are not in the result: ask again with the same position. Calls wait for each other.
   * @throws KafkaUnavailable when no leader answered; a pause of 100 ms to 1 s has then already been made.
   */
  fetch(positions: Position[], options: FetchOptions): Promise<FetchAnswer[]>
  /** 'committed': the last stable offset; 'uncommitted': the high watermark. Keys are "topic/partition". */
  endOffsets(
    partitions: TopicPartition[],
    isolation: 'committed' | 'uncommitted',
  ): Promise<Map<string, number>>
  /** Where the log begins. Keys are "topic/partition". */
  startOffsets(partitions: TopicPartition[]): Promise<Map<string, number>>
  /** Cuts the connections: a fetch that is under way throws KafkaUnavailable. */
  close(): Promise<void>
}

const firstPauseMs = 100

/** Opens a fetcher; tries for up to 30 s while no broker answers. */
export async function openFetcher(kafkajs: KafkaJs, maxBatchBytes: number): Promise<Fetcher> {
  const cluster = await openPatiently(kafkajs)
  const polls = newPolls(cluster, maxBatchBytes)
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  let pauseMs = firstPauseMs

  async function attempt(positions: Position[], options: FetchOptions): Promise<FetchAnswer[]> {
    try {
      const answers = await fetchOnce(polls, positions, options)
      pauseMs = firstPauseMs
      return answers
    } catch (error) {
      polls.stale = true
      if (!closed) await sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, 1000)
      const reason = closed ? 'CLOSED' : reasonOf(error)
      throw new KafkaUnavailable('no leader answered a fetch', { reason, cause: error })
    }
  }

  return {
    fetch(positions, options) {
      if (positions.length === 0) return Promise.resolve([])
      const next = last.then(() => attempt(positions, options))
      last = next.catch(() => undefined)
      return next
    },
    endOffsets: (partitions, isolation) => listOffsets(cluster, partitions, 'end', isolation),
    startOffsets: (partitions) => listOffsets(cluster, partitions, 'start', 'uncommitted'),
    close: () => {
      closed = true
      return cutCluster(cluster)
    },
  }
}
