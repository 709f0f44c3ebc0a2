import { describe, expect, it } from 'vitest'
import { catalogue, recordNames } from '../../schemas/catalogue.ts'
import { parseSchema, recordCodec, recordType } from '../../services/runtime/codec/avro.ts'
import { brokenPromises } from './compatibility.ts'
import { goldenValue, readGoldens, sameSchema } from './golden.ts'

const goldens = readGoldens()
const latestOf = (name: string) => goldens.filter(({ record }) => record === name).at(-1)

describe.each(goldens)('$record version $version', (golden) => {
  const bytes = Buffer.from(golden.hex, 'hex')

  it('is read by the schema that wrote it', () => {
    expect(parseSchema(golden.schema).fromBuffer(bytes)).toEqual(goldenValue(golden))
  })

  it("is read by today's schema with nothing lost but fields that are gone", () => {
    const today = recordType(golden.record)
    const read = today.fromBuffer(bytes, today.createResolver(parseSchema(golden.schema)))
    const fields = new Set(catalogue[golden.record].schema.fields.map(({ name }) => name))
    const kept = Object.entries(goldenValue(golden) as object).filter(([name]) => fields.has(name))
    expect(read).toMatchObject(Object.fromEntries(kept))
  })
})

describe.each(recordNames.map((name) => ({ name })))('the latest golden of $name', ({ name }) => {
  it("is of today's schema: after a change, run node test/schemas/golden.ts", () => {
    expect(sameSchema(latestOf(name)?.schema ?? {}, catalogue[name].schema)).toBe(true)
  })

  it('is what today’s codec writes, byte for byte', () => {
    const golden = latestOf(name)!
    const value = goldenValue(golden) as Record<string, unknown>
    expect(recordCodec(name).encode(value, 0x01020304).toString('hex')).toBe(`0001020304${golden.hex}`)
  })

  it('has no field at its default, so that every field is proven', () => {
    const value = goldenValue(latestOf(name)!) as Record<string, unknown>
    const atDefault = catalogue[name].schema.fields.filter((field) =>
      Object.is(JSON.stringify(field.default), JSON.stringify(value[field.name])),
    )
    expect(atDefault.map(({ name: field }) => field)).toEqual([])
  })

  it('keeps the promise of its compatibility with all versions before it', () => {
    const versions = goldens.filter(({ record }) => record === name).map(({ schema }) => schema)
    expect(brokenPromises([...versions, catalogue[name].schema], catalogue[name].compatibility)).toEqual([])
  })
})

describe('the check of compatibility', () => {
  const record = (...fields: object[]) => ({
    type: 'record',
    name: 'Probe',
    namespace: 'io.tidemark',
    fields,
  })
  const id = { name: 'id', type: 'string' }
  const added = { name: 'note', type: ['null', 'string'], default: null }
  const state = (...symbols: string[]) => ({
    name: 'state',
    type: { type: 'enum', name: 'State', symbols, default: 'open' },
  })

  it('allows a new field with a default, and a new symbol of an enum with a default', () => {
    const history = [record(id, state('open')), record(id, state('open', 'shut'), added)]
    expect(brokenPromises(history, 'FULL_TRANSITIVE')).toEqual([])
  })

  it('refuses a new field without a default', () => {
    const history = [record(id), record(id, { name: 'note', type: 'string' })]
    expect(brokenPromises(history, 'FULL_TRANSITIVE').join()).toContain('version 2 cannot read version 1')
  })

  it('refuses to drop a field that has no default', () => {
    expect(brokenPromises([record(id, added), record(added)], 'FULL').join()).toContain(
      'version 1 cannot read version 2',
    )
  })

  it('sees a type that changes in two steps only when it looks at all versions', () => {
    const typed = (type: string) => record({ name: 'n', type, default: 0 })
    const history = [typed('int'), record(), typed('double')]
    expect(brokenPromises(history, 'FULL')).toEqual([])
    expect(brokenPromises(history, 'FULL_TRANSITIVE').join()).toContain('version 1 cannot read version 3')
  })
})
