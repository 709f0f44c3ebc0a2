import type { Buffer } from 'node:buffer'

const tables = makeTables()

/** Words are read as they lie in memory, which is only right where the lowest byte comes first. */
const wordsFit = new Uint8Array(new Int32Array([1]).buffer)[0] === 1

/** The Castagnoli checksum that Kafka keeps over each record batch, sixteen bytes at a time. */
export function crc32c(bytes: Buffer, from: number, to: number): number {
  const start = wordsFit ? Math.min(to, from + (-(bytes.byteOffset + from) & 3)) : to
  const words = (to - start) >>> 4
  const end = start + words * 16
  let crc = -1
  for (let at = from; at < start; at += 1) crc = tables[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  if (words > 0) crc = overWords(crc, new Int32Array(bytes.buffer, bytes.byteOffset + start, words * 4))
  for (let at = end; at < to; at += 1) crc = tables[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function overWords(before: number, words: Int32Array): number {
  let crc = before
  for (let at = 0; at < words.length; at += 4) {
    const first = crc ^ words[at]!
    const second = words[at + 1]!
    const third = words[at + 2]!
    const fourth = words[at + 3]!
    crc =
      tables[3840 + (first & 255)]! ^
      tables[3584 + ((first >>> 8) & 255)]! ^
      tables[3328 + ((first >>> 16) & 255)]! ^
      tables[3072 + (first >>> 24)]! ^
      tables[2816 + (second & 255)]! ^
      tables[2560 + ((second >>> 8) & 255)]! ^
      tables[2304 + ((second >>> 16) & 255)]! ^
      tables[2048 + (second >>> 24)]! ^
      tables[1792 + (third & 255)]! ^
      tables[1536 + ((third >>> 8) & 255)]! ^
      tables[1280 + ((third >>> 16) & 255)]! ^
      tables[1024 + (third >>> 24)]! ^
      tables[768 + (fourth & 255)]! ^
      tables[512 + ((fourth >>> 8) & 255)]! ^
      tables[256 + ((fourth >>> 16) & 255)]! ^
      tables[fourth >>> 24]!
  }
  return crc
}

/** Sixteen tables of 256 in one array; table n is what a byte does to the checksum n bytes later. */
function makeTables(): Int32Array {
  const made = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    made[byte] = crc
  }
  for (let at = 256; at < made.length; at += 1) {
    const earlier = made[at - 256]!
    made[at] = (earlier >>> 8) ^ made[earlier & 255]!
  }
  return made
}
