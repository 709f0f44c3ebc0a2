import { createHash } from 'node:crypto'
import type { RecordHeaders } from '../domain/operator.ts'
import { asBuffer } from './codec/wire-format.ts'

/** Marks what stands for a record batch that nobody can read; its value says why. There are no bytes to keep. */
export const brokenBatchHeader = 'tidemark.broken-batch'

/** On a record that was taken from a dead letter: where the letter's record had stood, as topic:partition:offset. */
export const replayedFromHeader = 'tidemark.replayed-from'

/** On a dead letter whose record had more headers than are kept; its value is their number. */
export const headersLeftOutHeader = 'tidemark.headers-left-out'

/** The names of KIP-1034, under which Kafka Streams 4.2 says what its dead letters are about. */
export const streamsErrors = '__streams.errors.'

/** A dead letter holds its key and value whole up to here together; beyond it, the beginning of each. */
const wholeBytes = 1_000_000
const keptBytes = 65_536

/** With key and value at their largest, these still fit into the 64 KiB that the topic takes beyond a source record. */
const keptHeaderBytes = 65_536
/** Lengths and counts of a header on the wire, at most. */
const headerOverheadBytes = 10

/**
 * Bounds a dead letter: what no topic would take is kept as the first 64 KiB of key and value, and the sha256 of the
 * whole value.
 */
export function trimDeadLetter(letter: Record<string, unknown>): Record<string, unknown> {
  const { key, value } = letter
  if (lengthOf(key) + lengthOf(value) <= wholeBytes) return letter
  return {
    ...letter,
    key: beginningOf(key),
    value: beginningOf(value),
    valueSha256: value instanceof Uint8Array ? createHash('sha256').update(value).digest('hex') : null,
    truncated: true,
  }
}

/**
 * The headers of a dead letter: those of its record, up to 64 KiB together, then what KIP-1034 asks for, as Kafka
 * Streams writes it: UTF-8 text, numbers in decimal. `exception` is the reason's code. There is no `stacktrace`: a
 * verdict on data has none.
 */
export function deadLetterHeaders(
  letter: Readonly<Record<string, unknown>>,
  headers: RecordHeaders = {},
): Record<string, Buffer> {
  // Without a prototype, so that a header may have any name.
  const kept: Record<string, Buffer> = Object.create(null)
  const names = Object.keys(headers)
  if (sizeOf(headers) <= keptHeaderBytes) for (const name of names) kept[name] = asBuffer(headers[name]!)
  else kept[headersLeftOutHeader] = Buffer.from(String(names.length))
  const about = {
    exception: 'reason',
    message: 'detail',
    topic: 'topic',
    partition: 'partition',
    offset: 'offset',
  }
  for (const [name, field] of Object.entries(about)) {
    kept[`${streamsErrors}${name}`] = Buffer.from(String(letter[field]))
  }
  return kept
}

function sizeOf(headers: RecordHeaders): number {
  let bytes = 0
  for (const name of Object.keys(headers))
    bytes += Buffer.byteLength(name) + headers[name]!.length + headerOverheadBytes
  return bytes
}

function lengthOf(bytes: unknown): number {
  return bytes instanceof Uint8Array ? bytes.length : 0
}

function beginningOf(bytes: unknown): unknown {
  return bytes instanceof Uint8Array ? bytes.subarray(0, keptBytes) : bytes
}
