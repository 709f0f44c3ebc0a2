import avro from 'avsc'

/** The part of avsc's cursor over bytes that is used here. */
interface Tap {
  readonly buf: Buffer
  pos: number
}

/**
 * avsc's long doubles the number before it writes it, and so takes numbers beyond ±2^52 for others: it writes
 * -8 640 000 000 000 000, "before any event", so that it is read back as +8 640 000 000 000 000, "after every event".
 * This one never holds more than the number itself, and is exact for all integers that a double holds exactly.
 *
 * Zigzag: the lowest bit is the sign, the rest the magnitude m (n, or -n - 1 when negative); least significant bits
 * first, seven to a byte, the high bit set on all bytes but the last.
 */
export const exactLong: avro.Type = Object.create(new avro.types.LongType(), {
  _read: { value: read },
  _write: { value: write },
})

/** The typeHook of every schema that is read or written: puts the exact long in place of avsc's. */
export function withExactLong(part: unknown): avro.Type | undefined {
  if (part === 'long') return exactLong
  return typeof part === 'object' && part !== null && 'type' in part && part.type === 'long'
    ? exactLong
    : undefined
}

const maxBytes = 10

function read(tap: Tap): number {
  const { buf } = tap
  const start = tap.pos
  const first = buf[tap.pos++]!
  let magnitude = (first & 0x7f) >> 1
  let scale = 64
  let byte = first
  while (byte & 0x80) {
    if (tap.pos - start >= maxBytes) throw new Error('a long has more than ten bytes')
    byte = buf[tap.pos++]!
    magnitude += (byte & 0x7f) * scale
    scale *= 128
  }
  // The sum may have been rounded, but not to below this.
  if (magnitude > Number.MAX_SAFE_INTEGER - 1) throw new Error('a long is too large to be exact')
  return first & 1 ? -magnitude - 1 : magnitude
}

function write(tap: Tap, value: unknown): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new Error('not an exact integer')
  const { buf } = tap
  const negative = value < 0
  const magnitude = negative ? -(value + 1) : value
  let byte = (magnitude % 64) * 2 + (negative ? 1 : 0)
  let rest = Math.floor(magnitude / 64)
  while (rest > 0) {
    buf[tap.pos++] = byte | 0x80
    byte = rest % 128
    rest = Math.floor(rest / 128)
  }
  buf[tap.pos++] = byte
}
