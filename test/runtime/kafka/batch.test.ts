import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBatches } from '../../../services/runtime/kafka/batch-decoding.ts'
import { encodeBatch, roughBytes } from '../../../services/runtime/kafka/batch-encoding.ts'
import { type CodecName, codecNumbers, codecOf } from '../../../services/runtime/kafka/compression.ts'
import { crc32c } from '../../../services/runtime/kafka/crc32c.ts'
import { writeInt64 } from '../../../services/runtime/kafka/varint.ts'
import type { OutRecord } from '../../../services/runtime/kafka/writer.ts'

const from = { topic: 't', partition: 3, offset: 0 }
const plenty = 1 << 26

function batchOf(
  records: OutRecord[],
  compression: CodecName = 'none',
  transactional = false,
  producerId = -1,
): Buffer {
  return encodeBatch(
    records,
    { producerId, producerEpoch: 0, transactional, compression },
    0,
    1_700_000_000_000,
  )
}

function at(offset: number, batch: Buffer): Buffer {
  const moved = Buffer.from(batch)
  writeInt64(moved, 0, offset)
  return moved
}

/** Sets bits of the attributes, as only a broker does, and repairs the checksum. */
function marked(batch: Buffer, bits: number): Buffer {
  const changed = Buffer.from(batch)
  changed.writeInt16BE(changed.readInt16BE(21) | bits, 21)
  changed.writeUInt32BE(crc32c(changed, 21, changed.length), 17)
  return changed
}

const value = (text: string): OutRecord => ({ key: null, value: Buffer.from(text) })
const texts = (bytes: Buffer, offset = 0, aborted: { producerId: number; firstOffset: number }[] = []) =>
  decodeBatches(bytes, { ...from, offset }, aborted, plenty).records.map((record) => String(record.value))

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const record: fc.Arbitrary<OutRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestamp: fc.integer({ min: -1_000_000_000_000, max: 3_000_000_000_000_000 }),
  headers: fc.dictionary(fc.string(), bytes, { maxKeys: 3 }),
})

describe('a record batch', () => {
  it.each(Object.keys(codecNumbers) as CodecName[])('comes back as it went in, with codec %s', (codec) => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), (records) => {
        const decoded = decodeBatches(at(900_719_925_474, batchOf(records, codec)), from, [], plenty)
        expect(decoded.undecodable).toBeUndefined()
        expect(decoded.nextOffset).toBe(900_719_925_474 + records.length)
        decoded.records.forEach((read, index) => {
          expect({ ...read, headers: { ...read.headers } }).toEqual({
            topic: 't',
            partition: 3,
            offset: 900_719_925_474 + index,
            ...records[index],
            headers: { ...records[index]!.headers },
          })
        })
        expect(decoded.records.length).toBe(records.length)
      }),
      { numRuns: 40 },
    )
  })

  it('is never larger than the estimate by which commits are split', () => {
    fc.assert(
      fc.property(record, (one) => {
        expect(batchOf([one]).length - 61).toBeLessThanOrEqual(roughBytes(one))
      }),
    )
  })

  it('keeps a header called __proto__ as data', () => {
    const headers = JSON.parse('{"__proto__":"x"}') as Record<string, string>
    const [read] = decodeBatches(batchOf([{ ...value('v'), headers }]), from, [], plenty).records
    expect(Object.keys(read!.headers)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(read!.headers)).toBeNull()
  })

  it('leaves out records below the position', () => {
    expect(texts(batchOf([value('a'), value('b'), value('c')]), 1)).toEqual(['b', 'c'])
  })

  it('leaves a batch that is cut off for the next fetch', () => {
    const both = Buffer.concat([batchOf([value('a')]), at(1, batchOf([value('b')]))])
    const decoded = decodeBatches(both.subarray(0, both.length - 1), from, [], plenty)
    expect(decoded.records.map((read) => String(read.value))).toEqual(['a'])
    expect(decoded.nextOffset).toBe(1)
  })

  it('steps over a batch that compaction has emptied', () => {
    const emptied = batchOf([value('a')]).subarray(0, 61)
    emptied.writeInt32BE(61 - 12, 8)
    emptied.writeInt32BE(41, 23)
    emptied.writeInt32BE(0, 57)
    emptied.writeUInt32BE(crc32c(emptied, 21, 61), 17)
    expect(decodeBatches(emptied, from, [], plenty)).toEqual({ records: [], nextOffset: 42 })
  })

  it('takes the append time where the topic has it', () => {
    const batch = marked(batchOf([{ ...value('a'), timestamp: 5 }]), 8)
    writeInt64(batch, 35, 77)
    batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17)
    expect(decodeBatches(batch, from, [], plenty).records[0]!.timestamp).toBe(77)
  })

  it('is not taken for an abort marker when its key is four zero bytes', () => {
    const zeroKey = { key: Buffer.alloc(4), value: Buffer.from('aborted') }
    const abort = marked(batchOf([{ key: Buffer.alloc(4), value: Buffer.alloc(6) }], 'none', true, 9), 32)
    const log = Buffer.concat([
      batchOf([zeroKey], 'none', true, 9),
      at(1, batchOf([value('aborted too')], 'none', true, 9)),
      at(2, abort),
      at(3, batchOf([value('committed')], 'none', true, 9)),
    ])
    expect(texts(log, 0, [{ producerId: 9, firstOffset: 0 }])).toEqual(['committed'])
  })
})

describe('a broken record batch', () => {
  const good = batchOf([value('good')])
  const flipped = at(1, batchOf([value('broken')]))
  flipped[flipped.length - 1]! ^= 1

  it('is reported when it stands at the position, with the position after it', () => {
    const decoded = decodeBatches(flipped, { ...from, offset: 1 }, [], plenty)
    expect(decoded).toEqual({ records: [], nextOffset: 2, undecodable: 'the checksum does not fit' })
  })

  it('does not cost the records before it', () => {
    const decoded = decodeBatches(Buffer.concat([good, flipped]), from, [], plenty)
    expect(decoded.nextOffset).toBe(1)
    expect(decoded.undecodable).toBeUndefined()
    expect(decoded.records.length).toBe(1)
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'is one that grows beyond the bound with %s',
    (codec) => {
      const bomb = batchOf([{ key: null, value: Buffer.alloc(40 << 20) }], codec)
      expect(bomb.length).toBeLessThan(3 << 20)
      const decoded = decodeBatches(bomb, from, [], 8 << 20)
      expect(decoded.undecodable).toMatch(/larger|too large|ERR_BUFFER/i)
      expect(decoded.nextOffset).toBe(1)
    },
  )

  it('is refused for what it would grow to before anything is decompressed', () => {
    const garbage = Buffer.alloc(1 << 20, 0xee)
    const length = Buffer.from([0, 0, 0x10, 0])
    const lz4 = Buffer.concat([
      Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x70, 0]),
      ...new Array(9).fill([length, garbage]).flat(),
    ])
    expect(() => codecOf(codecNumbers.lz4).decompress(lz4, 4 << 20)).toThrow(/larger than 4194304 bytes/)
    const snappy = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff, 7]), garbage])
    expect(() => codecOf(codecNumbers.snappy).decompress(snappy, 4 << 20)).toThrow(
      /larger than 4194304 bytes/,
    )
  })

  it('never makes decoding throw, whatever bytes it has', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(255),
        (records, place, byte) => {
          const broken = batchOf(records, 'none')
          broken[17 + (place % (broken.length - 17))] = byte
          // The checksum is repaired so that the decoder itself meets the damage.
          broken.writeUInt32BE(crc32c(broken, 21, broken.length), 17)
          decodeBatches(broken, from, [], plenty)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('the checksum', () => {
  it('is CRC32C and not CRC32', () => {
    const nine = Buffer.from('123456789')
    expect(crc32c(nine, 0, 9)).toBe(0xe3069283)
    expect(crc32c(nine, 0, 9)).not.toBe(crc32(nine))
  })

  it('is the same whether bytes are taken one at a time or eight at a time', () => {
    const zeros = Buffer.alloc(32)
    expect(crc32c(zeros, 0, 32)).toBe(0x8a9136aa)
    expect(crc32c(Buffer.concat([Buffer.alloc(3, 7), zeros]), 3, 35)).toBe(0x8a9136aa)
  })
})
