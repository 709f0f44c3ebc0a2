import { crc32c } from '../kafka/crc32c.ts'

/** LevelDB's log format, in which both its write-ahead logs and its manifest are written. */
export interface LogFile {
  readonly records: readonly Buffer[]
  /** What is wrong, or undefined. A last record that was cut short is not: a killed process leaves one behind. */
  readonly damage: string | undefined
}

const blockBytes = 32_768
const headBytes = 7
const full = 1
const first = 2
const last = 4

/** Reads all records and verifies every checksum. */
export function readLogFile(bytes: Buffer): LogFile {
  const records: Buffer[] = []
  let parts: Buffer[] | undefined
  let at = 0
  const wrong = (what: string): LogFile => ({ records, damage: `${what} at byte ${at}` })
  while (at < bytes.length) {
    const blockEnd = at - (at % blockBytes) + blockBytes
    if (blockEnd - at < headBytes) {
      at = blockEnd
      continue
    }
    const end = endOf(bytes, at)
    if (end > bytes.length && (end <= blockEnd || at + headBytes > bytes.length)) {
      if (hasRecord(bytes, at + 1)) return wrong('a record that is cut short before others')
      break
    }
    if (end > blockEnd) return wrong('a record that is longer than its block')
    if (!isRecord(bytes, at, end)) return wrong('a wrong checksum')
    const type = bytes[at + 6]!
    if ((type === full || type === first) !== (parts === undefined)) return wrong('a record out of order')
    parts = [...(parts ?? []), bytes.subarray(at + headBytes, end)]
    if (type === full || type === last) {
      records.push(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
      parts = undefined
    }
    at = end
  }
  return { records, damage: undefined }
}

/** LevelDB's masked CRC32C, which it keeps because a checksum of bytes that hold checksums is a weak one. */
export function maskedCrc32c(bytes: Buffer, from: number, to: number): number {
  const crc = crc32c(bytes, from, to)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function endOf(bytes: Buffer, at: number): number {
  return at + headBytes <= bytes.length ? at + headBytes + bytes.readUInt16LE(at + 4) : at + headBytes
}

function isRecord(bytes: Buffer, at: number, end: number): boolean {
  const type = bytes[at + 6]!
  if (type < full || type > last) return false
  return maskedCrc32c(bytes, at + 6, end) === bytes.readUInt32LE(at)
}

/** Whether any record verifies behind a place where none does: then bytes were changed, not lost at the end. */
function hasRecord(bytes: Buffer, from: number): boolean {
  for (let at = from; at + headBytes <= bytes.length; at += 1) {
    const end = endOf(bytes, at)
    if (end <= bytes.length && isRecord(bytes, at, end)) return true
  }
  return false
}
