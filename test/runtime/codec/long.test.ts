import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beforeTime, endOfTime } from '../../../services/domain/operator.ts'
import { parseSchema } from '../../../services/runtime/codec/avro.ts'
import { exactLong } from '../../../services/runtime/codec/long.ts'

/** Avro's zigzag, with whole numbers of any size: the naive truth. */
function zigzag(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

const edges = [
  0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  2 ** 30,
  -(2 ** 30) - 1,
  2 ** 52,
  -(2 ** 52),
  -(2 ** 52) - 1,
  beforeTime,
  endOfTime,
]

describe('the exact long', () => {
  it.each(edges)('writes and reads %d as Avro says', (value) => {
    expect(exactLong.toBuffer(value)).toEqual(zigzag(BigInt(value)))
    expect(exactLong.fromBuffer(zigzag(BigInt(value)))).toBe(value)
  })

  it('equals the naive zigzag for every integer that is exact', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        fc.pre(Math.abs(value) < Number.MAX_SAFE_INTEGER - 1)
        expect(exactLong.toBuffer(value)).toEqual(zigzag(BigInt(value)))
        expect(exactLong.fromBuffer(zigzag(BigInt(value)))).toBe(value)
      }),
    )
  })

  it('refuses what is not exact, in either direction', () => {
    expect(() => exactLong.toBuffer(2 ** 53)).toThrow()
    expect(() => exactLong.toBuffer(0.5)).toThrow()
    for (const value of [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(() => exactLong.fromBuffer(zigzag(value))).toThrow('too large to be exact')
    }
    expect(() => exactLong.fromBuffer(Buffer.alloc(11, 0x80))).toThrow('more than ten bytes')
  })

  it('is the long of every schema: alone, logical, in a union, in a default and through a resolver', () => {
    const schema = (extra: object[]) => ({
      type: 'record',
      name: 'Probe',
      fields: [
        { name: 'a', type: 'long' },
        { name: 'b', type: { type: 'long', logicalType: 'timestamp-millis' } },
        { name: 'c', type: ['null', 'long'] },
        ...extra,
      ],
    })
    const reader = parseSchema(schema([{ name: 'd', type: 'long', default: beforeTime }]))
    const writer = parseSchema(schema([]))
    const value = { a: beforeTime, b: beforeTime, c: beforeTime }
    expect(reader.fromBuffer(reader.toBuffer(value))).toEqual({ ...value, d: beforeTime })
    expect(reader.fromBuffer(writer.toBuffer(value), reader.createResolver(writer))).toEqual({
      ...value,
      d: beforeTime,
    })
  })

  it('is needed: the library turns "before any event" into "after every event"', () => {
    const theirs = avro.Type.forSchema('long')
    expect(theirs.fromBuffer(theirs.toBuffer(beforeTime))).toBe(endOfTime)
  })
})
