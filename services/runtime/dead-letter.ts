import { createHash } from 'node:crypto'

/** A dead letter holds its key and value whole up to here together; beyond it, the beginning of each. */
const wholeBytes = 1_000_000
const keptBytes = 65_536

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

function lengthOf(bytes: unknown): number {
  return bytes instanceof Uint8Array ? bytes.length : 0
}

function beginningOf(bytes: unknown): unknown {
  return bytes instanceof Uint8Array ? bytes.subarray(0, keptBytes) : bytes
}
