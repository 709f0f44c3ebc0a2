import { Buffer } from 'node:buffer'
import { batchHeaderBytes } from './batch-encoding.ts'
import { type AbortedTransaction, type BatchFacts, committedOnly } from './committed.ts'
import { codecOf } from './compression.ts'
import { crc32c } from './crc32c.ts'
import type { FetchedRecord, Position } from './fetch.ts'
import { type Cursor, readInt64, readVarint } from './varint.ts'

export interface DecodedBatches {
  records: FetchedRecord[]
  /** After the last batch that was read, whether or not it held a record to hand over. */
  nextOffset: number
  /** Why the batch at the position cannot be read; nextOffset is then after that batch. */
  undecodable?: string
}

interface Batch {
  baseOffset: number
  lastOffset: number
  attributes: number
  firstTimestamp: number
  maxTimestamp: number
  producerId: number
  count: number
  /** The records, still compressed. */
  body: Buffer
}

const noHeaders: Record<string, Buffer> = Object.freeze(Object.create(null))
const emptyBuffer = Buffer.alloc(0)

/**
 * Decodes the record batches of one partition's answer and keeps the committed data records from the position on.
 * A batch that is cut off at the end is left for the next fetch. Records before a broken batch are handed over
 * first; the broken batch is reported when it is the first of an answer.
 */
export function decodeBatches(
  bytes: Buffer,
  from: Position,
  aborted: readonly AbortedTransaction[],
  maxBatchBytes: number,
): DecodedBatches {
  const isCommitted = committedOnly(aborted)
  const records: FetchedRecord[] = []
  let nextOffset = from.offset
  for (let at = 0; at + batchHeaderBytes <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length || end < at + batchHeaderBytes) {
      // The first batch of an answer comes whole, or its length is what is damaged.
      if (at > 0) break
      return { records, nextOffset: from.offset + 1, undecodable: 'a record batch of an impossible length' }
    }
    const lastOffset = readInt64(bytes, at) + bytes.readInt32BE(at + 23)
    const kept = records.length
    try {
      const batch = readHeader(bytes, at, end)
      const facts = factsOf(batch, maxBatchBytes)
      if (isCommitted(facts)) readRecords(batch, from, maxBatchBytes, records)
    } catch (error) {
      records.length = kept
      if (nextOffset > from.offset) return { records, nextOffset }
      const behind = believableEnd(bytes, at, lastOffset, from.offset)
      return { records, nextOffset: behind, undecodable: (error as Error).message }
    }
    nextOffset = Math.max(nextOffset, lastOffset + 1)
    at = end
  }
  return { records, nextOffset }
}

/**
 * The offset behind a batch that does not verify. Its header may be what is damaged, so it is believed only when its
 * two counts agree and it does not lead back; otherwise the next offset is looked at.
 */
function believableEnd(bytes: Buffer, at: number, lastOffset: number, from: number): number {
  const agrees = bytes.readInt32BE(at + 57) === bytes.readInt32BE(at + 23) + 1
  return agrees && lastOffset >= from ? lastOffset + 1 : from + 1
}

function readHeader(bytes: Buffer, at: number, end: number): Batch {
  if (bytes[at + 16] !== 2) throw new Error(`record format ${bytes[at + 16]} is not readable, only 2 is`)
  if (crc32c(bytes, at + 21, end) !== bytes.readUInt32BE(at + 17))
    throw new Error('the checksum does not fit')
  const baseOffset = readInt64(bytes, at)
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    attributes: bytes.readInt16BE(at + 21),
    firstTimestamp: readInt64(bytes, at + 27),
    maxTimestamp: readInt64(bytes, at + 35),
    producerId: readInt64(bytes, at + 43),
    count: bytes.readInt32BE(at + 57),
    body: bytes.subarray(at + batchHeaderBytes, end),
  }
}

function factsOf(batch: Batch, maxBatchBytes: number): BatchFacts {
  const { producerId, lastOffset, attributes } = batch
  const control = attributes & 32 ? controlOf(batch, maxBatchBytes) : 'none'
  return { producerId, lastOffset, transactional: (attributes & 16) !== 0, control }
}

/** The key of a control record: a version, then 0 for abort and 1 for commit. Compaction may have emptied it. */
function controlOf(batch: Batch, maxBatchBytes: number): BatchFacts['control'] {
  const records: FetchedRecord[] = []
  readRecords(batch, { topic: '', partition: 0, offset: 0 }, maxBatchBytes, records)
  const key = records[0]?.key
  if (key == null || key.length < 4) return 'other'
  const type = key.readInt16BE(2)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other'
}

function readRecords(batch: Batch, from: Position, maxBatchBytes: number, into: FetchedRecord[]): void {
  const buffer = codecOf(batch.attributes & 7).decompress(batch.body, maxBatchBytes)
  const cursor: Cursor = { buffer, at: 0 }
  const appendTime = (batch.attributes & 8) !== 0
  for (let left = batch.count; left > 0; left -= 1) {
    const end = readVarint(cursor) + cursor.at
    if (end > buffer.length) throw new RangeError('a record ends beyond its record batch')
    cursor.at += 1
    const timestamp = batch.firstTimestamp + readVarint(cursor)
    const offset = batch.baseOffset + readVarint(cursor)
    const key = readBytes(cursor)
    const value = readBytes(cursor)
    const headers = readHeaders(cursor)
    if (cursor.at !== end) throw new RangeError('a record is not as long as it says')
    if (offset < from.offset) continue
    const { topic, partition } = from
    into.push({
      topic,
      partition,
      offset,
      timestamp: appendTime ? batch.maxTimestamp : timestamp,
      key,
      value,
      headers,
    })
  }
}

function readBytes(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor)
  if (length < 0) return null
  const start = cursor.at
  cursor.at += length
  if (cursor.at > cursor.buffer.length) throw new RangeError('a field ends beyond its record batch')
  return cursor.buffer.subarray(start, cursor.at)
}

function readHeaders(cursor: Cursor): Record<string, Buffer> {
  const count = readVarint(cursor)
  if (count <= 0) return noHeaders
  const headers: Record<string, Buffer> = Object.create(null)
  for (let left = count; left > 0; left -= 1) {
    const name = readBytes(cursor) ?? emptyBuffer
    headers[name.toString()] = readBytes(cursor) ?? emptyBuffer
  }
  return headers
}
