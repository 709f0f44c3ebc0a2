import type { Buffer } from 'node:buffer'

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
  /** How long the broker may wait for minBytes; the call returns earlier when any leader has something. */
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
   * are not in the result: ask again with the same position. One call at a time.
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
