import type { Buffer } from 'node:buffer'

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
   * Writes all batches in one transaction and commits it. Offsets are those of the committed records.
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
