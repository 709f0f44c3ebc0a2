import { Buffer } from 'node:buffer'
import zlib from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import snappy from 'snappy'

export type CodecName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface Codec {
  compress(bytes: Buffer): Buffer
  /** @throws when the result would be larger than maxBytes, or the input is not of this codec. */
  decompress(bytes: Buffer, maxBytes: number): Buffer
}

/** The number of each codec in the attributes of a record batch. */
export const codecNumbers: Record<CodecName, number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

const codecs: readonly (Codec | undefined)[] = [
  { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  {
    compress: (bytes) => zlib.gzipSync(bytes, { level: 1 }),
    decompress: (bytes, maxBytes) => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes }),
  },
  { compress: toXerial, decompress: fromXerial },
  { compress: (bytes) => compressFrameSync(bytes), decompress: fromLz4 },
  {
    compress: (bytes) => zlib.zstdCompressSync(bytes),
    decompress: (bytes, maxBytes) => zlib.zstdDecompressSync(bytes, { maxOutputLength: maxBytes }),
  },
]

/** @throws when no codec has this number. */
export function codecOf(number: number): Codec {
  const codec = codecs[number]
  if (codec === undefined) throw new Error(`compression codec ${number} is not known`)
  return codec
}

/** Java writes snappy in the block format of the xerial library: a header, then blocks with their lengths. */
const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const xerialBlockBytes = 32 * 1024

function toXerial(bytes: Buffer): Buffer {
  const parts: Buffer[] = [xerialHeader]
  for (let at = 0; at < bytes.length; at += xerialBlockBytes) {
    const block = snappy.compressSync(bytes.subarray(at, at + xerialBlockBytes))
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

function fromXerial(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, 8).equals(xerialHeader.subarray(0, 8))) return fromSnappy(bytes, maxBytes)
  const parts: Buffer[] = []
  let at = xerialHeader.length
  let left = maxBytes
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at)
    if (at + 4 + length > bytes.length) throw new RangeError('a snappy block ends beyond its record batch')
    const part = fromSnappy(bytes.subarray(at + 4, at + 4 + length), left)
    parts.push(part)
    left -= part.length
    at += 4 + length
  }
  return Buffer.concat(parts)
}

/** A snappy block begins with its length after decompression, which is checked before the memory is taken. */
function fromSnappy(block: Buffer, maxBytes: number): Buffer {
  let length = 0
  for (let at = 0; ; at += 1) {
    const byte = block[at]
    if (byte === undefined || at > 4) throw new RangeError('a snappy block has no length')
    length += (byte & 127) * 2 ** (7 * at)
    if (byte < 128) break
  }
  if (length > maxBytes) throw tooLarge(maxBytes)
  return snappy.uncompressSync(block, { asBuffer: true }) as Buffer
}

/** The library has no bound of its own, so the frame's blocks are counted first: each has a largest size. */
function fromLz4(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== 0x184d2204) throw new Error('this is not an LZ4 frame')
  const flags = bytes[4]!
  const blockBytes = 2 ** (8 + 2 * ((bytes[5]! >> 4) & 7))
  const checksumBytes = flags & 16 ? 4 : 0
  let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
  let most = 0
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32LE(at) & 0x7fffffff
    if (length === 0) break
    most += Math.min(blockBytes, length * 255)
    at += 4 + length + checksumBytes
  }
  // The last block of a frame is rarely full: it alone may pass the bound.
  if (most - blockBytes >= maxBytes) throw tooLarge(maxBytes)
  const result = decompressFrameSync(bytes)
  if (result.length > maxBytes) throw tooLarge(maxBytes)
  return result
}

function tooLarge(maxBytes: number): RangeError {
  return new RangeError(`a record batch is larger than ${maxBytes} bytes when decompressed`)
}
