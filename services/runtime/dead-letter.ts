import { createHash } from 'node:crypto'

/** A dead letter holds the whole value up to here; beyond it, the beginning and the hash of the whole. */
const wholeBytes = 1_000_000
const keptBytes = 65_536

/** Bounds a dead letter: a value that no topic would take is kept as its first 64 KiB and the sha256 of all of it. */
export function trimDeadLetter(letter: Record<string, unknown>): Record<string, unknown> {
  const value = letter['value']
  if (!(value instanceof Uint8Array) || value.length <= wholeBytes) return letter
  return {
    ...letter,
    value: value.subarray(0, keptBytes),
    valueSha256: createHash('sha256').update(value).digest('hex'),
    truncated: true,
  }
}
