import { Buffer } from 'node:buffer'
import { type CodecName, codecNumbers, codecOf } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { type Cursor, sizeOfVarint, writeInt64, writeVarint } from './varint.ts'
import type { OutRecord } from './writer.ts'

export const batchHeaderBytes = 61

/** What a record may take beside its key, value and headers: six numbers of at most five or nine bytes. */
const recordOverheadBytes = 36

export interface BatchIdentity {
  /** −1 for a writer without transactions. */
  producerId: number
  producerEpoch: number
  transactional: boolean
  compression: CodecName
}

interface Header {
  key: Buffer
  value: Buffer
}

/** An upper bound of what a record takes in a batch. */
export function roughBytes(record: OutRecord): number {
  let size = recordOverheadBytes + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const name in record.headers)
    size += 10 + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name]!)
  return size
}

/**
 * Encodes a record batch of Kafka's format 2. Source of the format: Kafka's documentation, "Record Batch".
 * @param firstSequence the sequence number of the first record, −1 without a producer id
 * @param nowMs the timestamp of records that have none
 */
export function encodeBatch(
  records: OutRecord[],
  identity: BatchIdentity,
  firstSequence: number,
  nowMs: number,
): Buffer {
  const first = records[0]?.timestamp ?? nowMs
  let latest = first
  for (const record of records) latest = Math.max(latest, record.timestamp ?? nowMs)
  const batch = compressed(encodeRecords(records, first, nowMs), identity.compression)
  writeInt64(batch, 0, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch[16] = 2
  batch.writeInt16BE(codecNumbers[identity.compression] | (identity.transactional ? 16 : 0), 21)
  batch.writeInt32BE(records.length - 1, 23)
  writeInt64(batch, 27, first)
  writeInt64(batch, 35, latest)
  writeInt64(batch, 43, identity.producerId)
  batch.writeInt16BE(identity.producerEpoch, 51)
  batch.writeInt32BE(firstSequence, 53)
  batch.writeInt32BE(records.length, 57)
  batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17)
  return batch
}

/** Room for the header, and behind it the records as the codec leaves them. */
function compressed(plain: Buffer, compression: CodecName): Buffer {
  if (compression === 'none') return plain
  const body = codecOf(codecNumbers[compression]).compress(plain.subarray(batchHeaderBytes))
  return Buffer.concat([plain.subarray(0, batchHeaderBytes), body])
}

/** The records, behind room for the batch's header. */
function encodeRecords(records: OutRecord[], firstTimestamp: number, nowMs: number): Buffer {
  let most = batchHeaderBytes
  for (const record of records) most += roughBytes(record)
  const cursor: Cursor = { buffer: Buffer.allocUnsafe(most), at: batchHeaderBytes }
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at]!
    writeRecord(cursor, record, at, (record.timestamp ?? nowMs) - firstTimestamp)
  }
  return cursor.buffer.subarray(0, cursor.at)
}

function writeRecord(cursor: Cursor, record: OutRecord, offsetDelta: number, timestampDelta: number): void {
  const headers = headersOf(record)
  let size = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOfBytes(record.key)
  size += sizeOfBytes(record.value) + sizeOfVarint(headers.length)
  for (const header of headers) size += sizeOfBytes(header.key) + sizeOfBytes(header.value)
  writeVarint(cursor, size)
  cursor.buffer[cursor.at++] = 0
  writeVarint(cursor, timestampDelta)
  writeVarint(cursor, offsetDelta)
  writeBytes(cursor, record.key)
  writeBytes(cursor, record.value)
  writeVarint(cursor, headers.length)
  for (const header of headers) {
    writeBytes(cursor, header.key)
    writeBytes(cursor, header.value)
  }
}

const noHeaders: Header[] = []

function headersOf(record: OutRecord): Header[] {
  if (record.headers === undefined) return noHeaders
  return Object.entries(record.headers).map(([name, value]) => ({
    key: Buffer.from(name),
    value: typeof value === 'string' ? Buffer.from(value) : value,
  }))
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length
}

function writeBytes(cursor: Cursor, bytes: Buffer | null): void {
  if (bytes === null) {
    writeVarint(cursor, -1)
    return
  }
  writeVarint(cursor, bytes.length)
  bytes.copy(cursor.buffer, cursor.at)
  cursor.at += bytes.length
}
