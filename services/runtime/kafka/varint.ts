import type { Buffer } from 'node:buffer'

/** A place in a buffer that moves forward as it is read or written. */
export interface Cursor {
  buffer: Buffer
  at: number
}

/** Zigzag: small numbers of either sign become small numbers. Exact within ±2^52, beyond any two times in one batch. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

export function sizeOfVarint(value: number): number {
  let rest = zigzag(value)
  if (rest < 128) return 1
  if (rest < 16_384) return 2
  let size = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    size += 1
  }
  return size
}

export function writeVarint(cursor: Cursor, value: number): void {
  let rest = zigzag(value)
  // Arithmetic on small numbers is several times as fast with bits, which numbers beyond 31 bits do not have.
  for (; rest >= 128 && rest < 0x4000_0000; rest >>>= 7) cursor.buffer[cursor.at++] = (rest & 127) | 128
  while (rest >= 128) {
    cursor.buffer[cursor.at] = (rest % 128) | 128
    cursor.at += 1
    rest = Math.floor(rest / 128)
  }
  cursor.buffer[cursor.at] = rest
  cursor.at += 1
}

/** @throws RangeError past the end of the buffer, or when the number is longer than 10 bytes. */
export function readVarint(cursor: Cursor): number {
  const { buffer } = cursor
  let byte = buffer[cursor.at++]
  if (byte === undefined) throw new RangeError('a number ends beyond its record batch')
  if (byte < 128) return byte & 1 ? -(byte >> 1) - 1 : byte >> 1
  let value = byte & 127
  let scale = 128
  while (byte >= 128) {
    byte = buffer[cursor.at++]
    if (byte === undefined || scale > 2 ** 63) throw new RangeError('a number ends beyond its record batch')
    value += (byte & 127) * scale
    scale *= 128
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** A signed 64-bit number as a JavaScript number: exact for safe integers, which Kafka's offsets are. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

export function writeInt64(buffer: Buffer, at: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}
