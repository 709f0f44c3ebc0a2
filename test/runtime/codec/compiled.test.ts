import type avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordNames } from '../../../schemas/catalogue.ts'
import { parseSchema, recordType } from '../../../services/runtime/codec/avro.ts'
import { canonicalForm } from '../../../services/runtime/codec/canonical-form.ts'
import { compiledReader } from '../../../services/runtime/codec/compiled-reader.ts'
import { compiledWriter } from '../../../services/runtime/codec/compiled-writer.ts'
import { examples } from '../../schemas/examples.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const numRuns = Number(process.env['RUNS'] ?? 50)

/** Any value of a type, plain or not: texts of any units, maps in any order, fields left out that have a default. */
function valuesOf(type: avro.Type): fc.Arbitrary<unknown> {
  switch (type.typeName) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'double':
      return fc.double()
    case 'string':
      return fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary', maxLength: 70 }),
        fc.constantFrom('a', 'ab', '', '\ud800'),
      )
    case 'bytes':
      return fc.uint8Array().map((bytes) => Buffer.from(bytes))
    case 'enum':
      return fc.constantFrom(...(type as avro.types.EnumType).symbols)
    case 'map':
      return fc.dictionary(fc.string(), valuesOf((type as avro.types.MapType).valuesType), { maxKeys: 4 })
    case 'array':
      return fc.array(valuesOf((type as avro.types.ArrayType).itemsType), { maxLength: 4 })
    case 'record':
      return valuesOfRecord(type as avro.types.RecordType)
    case 'union:unwrapped':
      return fc.oneof(...(type as avro.types.UnwrappedUnionType).types.map(valuesOf))
    default:
      // The exact long has no name of its own.
      return fc.oneof(
        fc.maxSafeInteger().filter(isReadable),
        fc.integer(),
        fc.constantFrom(0, -1, 63, 64, -64, -65, 2 ** 30, -(2 ** 30)),
      )
  }
}

/** The exact long writes the largest safe integer, but does not read it. */
function isReadable(value: number): boolean {
  return Math.abs(value) < Number.MAX_SAFE_INTEGER
}

function valuesOfRecord({ fields }: avro.types.RecordType): fc.Arbitrary<unknown> {
  const model = Object.fromEntries(fields.map(({ name, type }) => [name, valuesOf(type)]))
  const required = fields.filter((field) => field.defaultValue() === undefined).map(({ name }) => name)
  return fc.record(model, { requiredKeys: required, noNullPrototype: true })
}

describe.each(recordNames)('the compiled codec of a %s', (name) => {
  const type = recordType(name)
  const write = compiledWriter(type)
  const read = compiledReader(type)
  const toCanonical = canonicalForm(type)
  const buffer = Buffer.alloc(64 * 1024)
  const written = (value: unknown): Buffer | undefined => {
    const end = write(buffer, 3, value)
    return end < 0 ? undefined : Buffer.copyBytesFrom(buffer, 3, end - 3)
  }

  it('writes the example itself, and reads it', () => {
    const bytes = written(examples[name])
    expect(bytes).toEqual(type.toBuffer(examples[name]))
    expect(read(bytes!, 0)).toEqual(examples[name])
  })

  it(`writes the bytes of avsc or nothing, and reads what avsc reads (seed ${seed})`, () => {
    const property = fc.property(valuesOf(type), (value) => {
      const bytes = type.toBuffer(toCanonical(value))
      expect((written(value) ?? bytes).toString('hex')).toBe(bytes.toString('hex'))
      expect(read(bytes, 0)).toEqual(type.fromBuffer(bytes))
    })
    fc.assert(property, { seed, numRuns })
  })

  it(`reads of damaged bytes what avsc reads, or nothing (seed ${seed})`, () => {
    const property = fc.property(
      valuesOf(type),
      fc.nat(),
      fc.nat(255),
      fc.nat(40),
      (value, at, byte, cut) => {
        const bytes = type.toBuffer(toCanonical(value))
        bytes[at % bytes.length] = byte
        const damaged = bytes.subarray(0, bytes.length - (cut < 20 ? cut : 0))
        const record = read(damaged, 0)
        if (record !== undefined) expect(record).toEqual(type.fromBuffer(damaged))
      },
    )
    fc.assert(property, { seed, numRuns })
  })

  it('says that the buffer is too small, wherever it ends', () => {
    const { length } = type.toBuffer(examples[name])
    for (let size = 0; size < length; size += 1)
      expect(write(Buffer.alloc(size), 0, examples[name])).toBeGreaterThan(size)
  })

  it('leaves to avsc what does not fit', () => {
    for (const field in examples[name]) {
      for (const wrong of [Symbol('no'), () => 1, 1n]) {
        expect(write(buffer, 0, { ...examples[name], [field]: wrong })).toBeLessThan(0)
      }
    }
  })
})

it('a map that is not sorted, or has a key that objects treat apart, is left to avsc', () => {
  const write = compiledWriter(parseSchema({ type: 'map', values: 'double' }))
  expect(write(Buffer.alloc(99), 0, { b: 1, a: 2 })).toBe(-1)
  expect(write(Buffer.alloc(99), 0, { 10: 1, 9: 2 })).toBe(-1)
  expect(write(Buffer.alloc(99), 0, JSON.parse('{"__proto__":1}'))).toBe(-1)
})

it('a text that a place of the schema remembers is not taken for another', () => {
  const type = parseSchema({ type: 'array', items: 'string' })
  const read = compiledReader(type)
  const texts = [
    'card-1',
    'card-2',
    'card-1',
    'dard-1',
    'card-1',
    'card',
    'card-11',
    'ä',
    'ö',
    'ä',
    'x'.repeat(65),
  ]
  for (const text of [...texts, ...texts]) expect(read(type.toBuffer([text, text]), 0)).toEqual([text, text])
})
