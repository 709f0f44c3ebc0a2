/** Reads LevelDB's varints one after the other; throws a RangeError beyond the end. */
export interface Cursor {
  readonly at: number
  number(): number
  /** As many bytes as the number before them says. */
  bytes(): Buffer
  /** As many bytes as are asked for. */
  take(length: number): Buffer
}

export function createCursor(source: Buffer, from = 0): Cursor {
  let at = from

  function number(): number {
    let value = 0
    let unit = 1
    for (;;) {
      const byte = source[at]
      if (byte === undefined || unit > Number.MAX_SAFE_INTEGER) throw new RangeError(`a varint at ${at}`)
      at += 1
      value += (byte & 127) * unit
      if (byte < 128) return value
      unit *= 128
    }
  }

  function take(length: number): Buffer {
    if (at + length > source.length) throw new RangeError(`${length} bytes at ${at}`)
    at += length
    return source.subarray(at - length, at)
  }

  return {
    get at() {
      return at
    },
    number,
    bytes: () => take(number()),
    take,
  }
}
