/** Where Kafka's Java producer puts a key: murmur2 with its seed, its sign dropped, modulo the partitions. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (hash(key) & 0x7fffffff) % partitions
}

/** Austin Appleby's MurmurHash2, 32 bits, as Kafka seeds it; bytes past the end count as none. */
function hash(key: Uint8Array): number {
  const factor = 0x5bd1e995
  const word = (at: number) =>
    [0, 1, 2, 3].reduce((sum, byte) => sum | ((key[at + byte] ?? 0) << (8 * byte)), 0)
  let state = 0x9747b28c ^ key.length
  let at = 0
  for (; at + 4 <= key.length; at += 4) {
    const mixed = Math.imul(word(at), factor)
    state = Math.imul(state, factor) ^ Math.imul(mixed ^ (mixed >>> 24), factor)
  }
  if (at < key.length) state = Math.imul(state ^ word(at), factor)
  state = Math.imul(state ^ (state >>> 13), factor)
  return state ^ (state >>> 15)
}
