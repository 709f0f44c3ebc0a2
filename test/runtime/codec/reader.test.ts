import { describe, expect, it } from 'vitest'
import { catalogue } from '../../../schemas/catalogue.ts'
import { parseSchema, recordCodec } from '../../../services/runtime/codec/avro.ts'
import { recordReader } from '../../../services/runtime/codec/reader.ts'
import { examples } from '../../schemas/examples.ts'
import { framed, knownSchemas } from './known-schemas.ts'

const ours = catalogue.Outcome.schema
const withField = (field: object) => ({ ...ours, fields: [...ours.fields, field] })
const bytes = recordCodec('Outcome').encode(examples.Outcome, 1)

describe('a record reader', () => {
  it('reads what our own version wrote, and asks for its schema once', async () => {
    const registry = knownSchemas(ours)
    const reader = recordReader('Outcome', registry)
    await reader.prepare([bytes, bytes])
    await reader.prepare([bytes])
    expect(reader.decode(bytes)).toEqual(examples.Outcome)
    expect(registry.asked).toEqual([1])
  })

  it('reads what a newer version wrote: it does not see the new field', async () => {
    const newer = withField({ name: 'note', type: 'string', default: '' })
    const reader = recordReader('Outcome', knownSchemas(newer))
    const written = framed(1, parseSchema(newer).toBuffer({ ...examples.Outcome, note: 'new' }))
    await reader.prepare([written])
    expect(reader.decode(written)).toEqual(examples.Outcome)
  })

  it('reads what an older version wrote: the new field has its default', async () => {
    const older = { ...ours, fields: ours.fields.filter(({ name }) => name !== 'revision') }
    const reader = recordReader('Outcome', knownSchemas(older))
    const written = framed(1, parseSchema(older).toBuffer(examples.Outcome))
    await reader.prepare([written])
    expect(reader.decode(written)).toEqual({ ...examples.Outcome, revision: 0 })
  })

  it('reads a symbol that it does not know as the default of the enum', async () => {
    const text = JSON.stringify(ours).replace('["labelled",', '["disputed","labelled",')
    const newer = JSON.parse(text)
    const reader = recordReader('Outcome', knownSchemas(newer))
    const written = framed(1, parseSchema(newer).toBuffer({ ...examples.Outcome, state: 'disputed' }))
    await reader.prepare([written])
    expect(reader.decode(written).state).toBe('orphan')
  })

  it.each([
    ['without a header', Buffer.from('{}'), 'does not begin with a schema id'],
    ['of an unknown schema', framed(9, bytes.subarray(5)), 'schema 9 is not in the registry'],
    ['of another record', framed(2, bytes.subarray(5)), 'cannot be read with schema 2'],
    ['cut short', bytes.subarray(0, -1), 'the bytes end too early'],
    ['with something behind it', Buffer.concat([bytes, bytes]), 'bytes follow the record'],
  ])('stops at a record %s: nothing else writes to our topics', async (_, value, detail) => {
    const reader = recordReader('Outcome', knownSchemas(ours, catalogue.Pane.schema))
    await reader.prepare([value])
    expect(() => reader.decode(value)).toThrow(expect.objectContaining({ code: 'TM_INTERNAL_RECORD' }))
    expect(() => reader.decode(value)).toThrow(detail)
  })

  it('can be tried again when the registry is away', async () => {
    const registry = knownSchemas(ours)
    registry.away = true
    const reader = recordReader('Outcome', registry)
    await expect(reader.prepare([bytes])).rejects.toMatchObject({ code: 'TM_REGISTRY_AWAY' })
    expect(() => reader.decode(bytes)).toThrow(expect.objectContaining({ code: 'TM_REGISTRY_AWAY' }))
    registry.away = false
    await reader.prepare([bytes])
    expect(reader.decode(bytes)).toEqual(examples.Outcome)
  })
})
