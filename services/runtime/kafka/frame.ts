import { Buffer } from 'node:buffer'
import { readInt64, writeInt64 } from './varint.ts'

/** The body of a request under construction. kafkajs takes anything that has its bytes as `buf` and `buffer`. */
export interface Frame {
  int8(value: number): Frame
  int16(value: number): Frame
  int32(value: number): Frame
  int64(value: number): Frame
  string(value: string | null): Frame
  bytes(value: Buffer): Frame
  done(): { buf: Buffer; buffer: Buffer }
}

export function newFrame(): Frame {
  const parts: Buffer[] = []
  const add = (size: number, write: (part: Buffer) => void): Frame => {
    const part = Buffer.allocUnsafe(size)
    write(part)
    parts.push(part)
    return frame
  }
  const frame: Frame = {
    int8: (value) => add(1, (part) => part.writeInt8(value)),
    int16: (value) => add(2, (part) => part.writeInt16BE(value)),
    int32: (value) => add(4, (part) => part.writeInt32BE(value)),
    int64: (value) => add(8, (part) => writeInt64(part, 0, value)),
    string: (value) => {
      const text = Buffer.from(value ?? '')
      frame.int16(value === null ? -1 : text.length)
      parts.push(text)
      return frame
    },
    bytes: (value) => {
      frame.int32(value.length)
      parts.push(value)
      return frame
    },
    done: () => {
      const buffer = Buffer.concat(parts)
      return { buf: buffer, buffer }
    },
  }
  return frame
}

/** Reads an answer from front to back. Each call throws RangeError past the end. */
export interface Reader {
  int16(): number
  int32(): number
  int64(): number
  string(): string
  bytes(): Buffer
  array<T>(item: () => T): T[]
}

export function readerOf(buffer: Buffer): Reader {
  let at = 0
  const pass = (size: number): number => {
    const start = at
    at += size
    if (at > buffer.length) throw new RangeError('an answer is shorter than it says')
    return start
  }
  const reader: Reader = {
    int16: () => buffer.readInt16BE(pass(2)),
    int32: () => buffer.readInt32BE(pass(4)),
    int64: () => readInt64(buffer, pass(8)),
    string: () => {
      const start = pass(Math.max(0, reader.int16()))
      return buffer.toString('utf8', start, at)
    },
    bytes: () => {
      const start = pass(Math.max(0, reader.int32()))
      return buffer.subarray(start, at)
    },
    array: (item) => {
      const items: ReturnType<typeof item>[] = []
      for (let left = reader.int32(); left > 0; left -= 1) items.push(item())
      return items
    },
  }
  return reader
}
