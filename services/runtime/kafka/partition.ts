import type { Buffer } from 'node:buffer'

const seed = 0x9747b28c
const mixer = 0x5bd1e995

/**
 * The 32-bit murmur2 hash of Kafka's Java clients, as a signed integer.
 * Source: Austin Appleby's MurmurHash2 (public domain) with Kafka's seed 0x9747b28c.
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = seed ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, mixer)
    word ^= word >>> 24
    hash = Math.imul(hash, mixer) ^ Math.imul(word, mixer)
  }
  const rest = length - at
  if (rest > 0) {
    if (rest === 3) hash ^= bytes[at + 2]! << 16
    if (rest >= 2) hash ^= bytes[at + 1]! << 8
    hash = Math.imul(hash ^ bytes[at]!, mixer)
  }
  hash = Math.imul(hash ^ (hash >>> 13), mixer)
  return hash ^ (hash >>> 15)
}

/** The partition that Java's default partitioner chooses for a key. */
export function partitionOf(key: Buffer | Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
