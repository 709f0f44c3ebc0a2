import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordNames } from '../../../schemas/catalogue.ts'
import type { JournalEntry } from '../../../schemas/types.ts'
import { recordCodec } from '../../../services/runtime/codec/avro.ts'
import { schemaIdOf } from '../../../services/runtime/codec/wire-format.ts'
import { examples } from '../../schemas/examples.ts'

const entry = examples.JournalEntry
const codec = recordCodec('JournalEntry')

describe('a record codec', () => {
  it.each(recordNames)('gives back every field of a %s', (name) => {
    const bytes = recordCodec(name).encode(examples[name], 7)
    expect(schemaIdOf(bytes)).toBe(7)
    expect(recordCodec(name).decode(bytes)).toEqual(examples[name])
  })

  it('is made once per record', () => {
    expect(recordCodec('Outcome')).toBe(recordCodec('Outcome'))
  })

  it('writes the same bytes whatever the order of map keys', () => {
    const value = fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.string())
    const name = fc.string().filter((text) => text !== '__proto__')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.infiniteStream(fc.nat()), (pairs, order) => {
        const unique = [...new Map(pairs)]
        const ranks = new Map(unique.map(([key]) => [key, order.next().value]))
        const shuffled = unique.toSorted(([a], [b]) => ranks.get(a)! - ranks.get(b)!)
        const encode = (values: typeof pairs) =>
          codec.encode({ ...entry, values: Object.fromEntries(values) }, 1)
        expect(encode(shuffled)).toEqual(encode(unique))
      }),
    )
  })

  it('brings back any values that a contract can hold', () => {
    const value = fc.oneof(fc.constant(null), fc.boolean(), fc.double(), fc.string({ unit: 'binary' }))
    const name = fc.string().filter((text) => text !== '__proto__')
    fc.assert(
      fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (values) => {
        expect(codec.decode(codec.encode({ ...entry, values }, 1)).values).toEqual(values)
      }),
    )
  })

  it('does not change the value that it encodes', () => {
    const values = { z: 1, a: 2 }
    codec.encode({ ...entry, values }, 1)
    expect(Object.keys(values)).toEqual(['z', 'a'])
  })

  it('fills in the defaults of fields that are left out, so that a mark is short', () => {
    const { origin, watermark } = entry
    const mark = codec.decode(codec.encode({ kind: 'mark', origin, watermark }, 1))
    const empty = { stream: '', field: '', key: '', id: '', time: 0, late: false, values: {} }
    expect(mark).toEqual({ kind: 'mark', ...empty, origin, watermark })
  })

  it('takes any view of bytes and gives back bytes of its own', () => {
    const backing = new Uint8Array([9, 1, 2, 3, 9])
    const late = { ...examples.LateRecord, raw: backing.subarray(1, 4) }
    const bytes = recordCodec('LateRecord').encode(late, 1)
    const { raw } = recordCodec('LateRecord').decode(bytes)
    bytes.fill(0)
    expect([...raw]).toEqual([1, 2, 3])
  })

  it('encodes a record larger than its scratch buffer, and the next small one rightly', () => {
    const raw = Buffer.alloc(3_000_000, 7)
    const late = recordCodec('LateRecord')
    expect(late.decode(late.encode({ ...examples.LateRecord, raw }, 1)).raw).toEqual(raw)
    expect(codec.decode(codec.encode(entry, 1))).toEqual(entry)
  })

  it('returns bytes that the next encoding does not overwrite', () => {
    const first = codec.encode(entry, 1)
    codec.encode({ ...entry, id: 'another' }, 2)
    expect(codec.decode(first)).toEqual(entry)
  })

  it('leaves the runtime part to records that have it', () => {
    expect(codec.decode(codec.encode({ ...entry, runtime: { instance: 'x' } }, 1))).toEqual(entry)
  })
})

describe('a value that does not fit', () => {
  const encode = (change: object) => () => codec.encode({ ...entry, ...change } as JournalEntry, 1)

  it('is named by field, and never shown', () => {
    expect(encode({ time: 'secret' })).toThrow(expect.objectContaining({ code: 'TM_OPERATOR' }))
    expect(encode({ time: 'secret' })).toThrow('JournalEntry: time does not fit the schema')
    expect(encode({ values: { speed: { kmh: 4242 } } })).toThrow(
      /JournalEntry: values\.speed does not fit the schema$/,
    )
  })

  it('may be a field that the schema does not have', () => {
    expect(encode({ tmie: 1 })).toThrow('JournalEntry: tmie does not fit the schema')
  })

  it('may be a required field that is missing, or a symbol that is not in the enum', () => {
    expect(() => codec.encode({ kind: 'event', watermark: 0 }, 1)).toThrow('origin')
    expect(encode({ kind: 'tock' })).toThrow('kind')
  })

  it('may be a time beyond what a double holds exactly', () => {
    expect(encode({ time: 2 ** 53 })).toThrow('time')
    expect(encode({ time: 1.5 })).toThrow('time')
  })

  it('does not spoil the codec', () => {
    expect(encode({ id: 1 })).toThrow()
    expect(codec.decode(codec.encode(entry, 1))).toEqual(entry)
  })
})

describe('bytes that are no such record', () => {
  const bytes = codec.encode(entry, 1)

  it('are refused when cut short anywhere', () => {
    for (let end = 5; end < bytes.length; end++) {
      expect(() => codec.decode(bytes.subarray(0, end))).toThrow(
        expect.objectContaining({ code: 'TM_INTERNAL_RECORD' }),
      )
    }
  })

  it('are refused when something follows', () => {
    expect(() => codec.decode(Buffer.concat([bytes, Buffer.from([0])]))).toThrow('1 bytes follow the record')
  })
})
