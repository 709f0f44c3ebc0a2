import { crc32 } from 'node:zlib'
import type { Change } from './store.ts'

/** What `apply` was given, as the log of the store keeps it. */
export interface Batch {
  readonly sequence: number
  /** When it was applied, on this machine's clock. */
  readonly atMs: number
  readonly changes: readonly Change[]
}

/** Mixed into every checksum of a store, so that the bytes of one task do not verify in the store of another. */
export function saltOf(identity: string): number {
  return crc32(identity)
}

const headBytes = 24
const removed = 0xffffffff

/**
 * One value of the log: CRC32, sequence, time, count, and for each change the lengths of key and value, key, value.
 * The buffer is the caller's own until the next call, which may use it again.
 */
export function sealBatch(salt: number, { sequence, atMs, changes }: Batch): Buffer {
  let sizeBytes = headBytes
  for (const [key, value] of changes) sizeBytes += 8 + 3 * key.length + (value?.length ?? 0)
  const bytes = roomFor(sizeBytes)
  bytes.writeDoubleLE(sequence, 4)
  bytes.writeDoubleLE(atMs, 12)
  bytes.writeUInt32LE(changes.length, 20)
  let at = headBytes
  for (const [key, value] of changes) {
    const keyBytes = bytes.write(key, at + 8)
    putNumber(bytes, at, keyBytes)
    putNumber(bytes, at + 4, value === undefined ? removed : value.length)
    at += 8 + keyBytes
    if (value === undefined) continue
    bytes.set(value, at)
    at += value.length
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(4, at), salt), 0)
  return bytes.subarray(0, at)
}

/** The batch of a value of the log, or undefined when its checksum is wrong. Its values share memory with `bytes`. */
export function openBatch(salt: number, bytes: Buffer): Batch | undefined {
  if (bytes.length < headBytes || crc32(bytes.subarray(4), salt) !== bytes.readUInt32LE(0)) return undefined
  const changes: Change[] = []
  let at = headBytes
  for (let left = bytes.readUInt32LE(20); left > 0; left -= 1) {
    const keyEnd = at + 8 + bytes.readUInt32LE(at)
    const valueBytes = bytes.readUInt32LE(at + 4)
    const key = bytes.toString('utf8', at + 8, keyEnd)
    at = valueBytes === removed ? keyEnd : keyEnd + valueBytes
    changes.push([key, valueBytes === removed ? undefined : bytes.subarray(keyEnd, at)])
  }
  return { sequence: bytes.readDoubleLE(4), atMs: bytes.readDoubleLE(12), changes }
}

/** A value as an entry keeps it: behind a CRC32 of key and value. */
export function sealEntry(salt: number, key: string, value: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + value.length)
  bytes.set(value, 4)
  putNumber(bytes, 0, crc32(value, seedOf(salt, key)))
  return bytes
}

/** The value of an entry, or undefined when its checksum is wrong. */
export function openEntry(salt: number, key: string, bytes: Buffer): Buffer | undefined {
  if (bytes.length < 4) return undefined
  const value = bytes.subarray(4)
  return crc32(value, seedOf(salt, key)) === bytes.readUInt32LE(0) ? value : undefined
}

/** What `writeUInt32LE` does, without its checks, which cost more than the writing. */
function putNumber(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** FNV-1a over the code units: for short keys cheaper than a call into zlib, and every changed unit changes it. */
function seedOf(salt: number, key: string): number {
  let hash = salt
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

const scratchBytes = 1 << 20
let scratch: Buffer | undefined

function roomFor(sizeBytes: number): Buffer {
  if (sizeBytes > scratchBytes) return Buffer.allocUnsafe(sizeBytes)
  scratch ??= Buffer.allocUnsafeSlow(scratchBytes)
  return scratch
}
