import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { catalogue, recordNames, valueSubject } from '../../schemas/catalogue.ts'
import { parseSchema, recordCodec } from '../../services/runtime/codec/avro.ts'
import { recordReader } from '../../services/runtime/codec/reader.ts'
import { connectRegistry, type Registry } from '../../services/runtime/codec/registry.ts'
import { decodeSource } from '../../services/runtime/codec/source.ts'
import { schemaIdOf } from '../../services/runtime/codec/wire-format.ts'
import { framed } from '../runtime/codec/known-schemas.ts'
import { examples } from '../schemas/examples.ts'

// The names of subjects stay in the registry that all tests share.
const freshSubject = () => valueSubject(`registry-test-${randomUUID()}`)
const ours = catalogue.Outcome.schema
const newer = {
  ...ours,
  fields: [...ours.fields, { name: 'note', type: 'string', default: '', doc: 'Free text.' }],
}
const broken = { ...ours, fields: [...ours.fields, { name: 'note', type: 'string', doc: 'Free text.' }] }

describe('a real registry', () => {
  let registry: Registry
  beforeAll(() => {
    registry = connectRegistry(inject('registry'))
  })

  it('takes every record of the catalogue, and again, and gives the same id', async () => {
    for (const name of recordNames) {
      const { schema, compatibility } = catalogue[name]
      const subject = freshSubject()
      const id = await registry.register(subject, schema, compatibility)
      expect(await registry.register(subject, schema, compatibility), name).toBe(id)
      expect(await registry.idOf(subject, schema), name).toBe(id)
      expect(await registry.latestId(subject), name).toBe(id)
      expect(await registry.compatibilityOf(subject), name).toBe(compatibility)
    }
  })

  it('gives a schema back by its id so that another process reads the records', async () => {
    const id = await registry.register(freshSubject(), ours, 'FULL_TRANSITIVE')
    const bytes = recordCodec('Outcome').encode(examples.Outcome, id)
    const reader = recordReader('Outcome', connectRegistry(inject('registry')))
    await reader.prepare([bytes])
    expect(reader.decode(bytes)).toEqual(examples.Outcome)
  })

  it('lets an old and a new version write and read side by side', async () => {
    const subject = freshSubject()
    const oldId = await registry.register(subject, ours, 'FULL_TRANSITIVE')
    const newId = await registry.register(subject, newer, 'FULL_TRANSITIVE')
    expect(await registry.idOf(subject, ours)).toBe(oldId)
    expect(await registry.latestId(subject)).toBe(newId)
    const written = framed(newId, parseSchema(newer).toBuffer({ ...examples.Outcome, note: 'new' }))
    const reader = recordReader('Outcome', registry)
    await reader.prepare([written])
    expect(schemaIdOf(written)).toBe(newId)
    expect(reader.decode(written)).toEqual(examples.Outcome)
  })

  it('refuses a version that would break readers, and says so before it is tried', async () => {
    const subject = freshSubject()
    expect((await registry.plan(subject, ours, 'FULL_TRANSITIVE')).action).toBe('create')
    await registry.register(subject, ours, 'FULL_TRANSITIVE')
    expect((await registry.plan(subject, ours, 'FULL_TRANSITIVE')).action).toBe('keep')
    expect((await registry.plan(subject, newer, 'FULL_TRANSITIVE')).action).toBe('change')
    expect((await registry.plan(subject, broken, 'FULL_TRANSITIVE')).action).toBe('refuse')
    const refused = registry.register(subject, broken, 'FULL_TRANSITIVE')
    await expect(refused).rejects.toMatchObject({
      code: 'TM_SCHEMA',
      message: expect.stringContaining(subject),
    })
  })

  it('changes the level of a subject that somebody else has made', async () => {
    const subject = freshSubject()
    await registry.register(subject, ours, 'FULL')
    expect(await registry.plan(subject, ours, 'FULL_TRANSITIVE')).toEqual({
      action: 'change',
      detail: 'compatibility FULL becomes FULL_TRANSITIVE',
    })
    await registry.register(subject, ours, 'FULL_TRANSITIVE')
    expect(await registry.compatibilityOf(subject)).toBe('FULL_TRANSITIVE')
  })

  it('says of an id that it does not have that it is unknown, and of a subject that there is none', async () => {
    expect(await decodeSource(framed(2_000_000_000, Buffer.alloc(1)), registry)).toMatchObject({
      ok: false,
      detail: 'schema 2000000000 is not in the registry',
    })
    const subject = freshSubject()
    expect(await registry.latestId(subject)).toBeUndefined()
    expect(await registry.idOf(subject, ours)).toBeUndefined()
    expect(await registry.compatibilityOf(subject)).toBeUndefined()
  })

  it('serves the schema of a user’s own events', async () => {
    const schema = {
      type: 'record',
      name: 'Departure',
      namespace: 'com.example',
      fields: [
        { name: 'id', type: 'string' },
        { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
        { name: 'distance', type: ['null', 'double'], default: null },
      ],
    }
    const id = await registry.register(freshSubject(), schema, 'FULL')
    const value = { id: 'e-1', time: 981_043_200_000, distance: 606.5 }
    const decoded = await decodeSource(framed(id, parseSchema(schema).toBuffer(value)), registry)
    expect(decoded).toMatchObject({ ok: true, format: 'avro', value })
  })
})
