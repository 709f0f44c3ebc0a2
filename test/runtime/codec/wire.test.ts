import { describe, expect, it } from 'vitest'
import { catalogue, recordNames } from '../../../schemas/catalogue.ts'
import type { Registry } from '../../../services/runtime/codec/registry.ts'
import { avroWire } from '../../../services/runtime/codec/wire.ts'
import { headerBytes, schemaIdOf } from '../../../services/runtime/codec/wire-format.ts'
import { examples } from '../../schemas/examples.ts'
import { knownSchemas } from './known-schemas.ts'

/** A registry where the schemas of the catalogue have the ids 1, 2, ... in its order. */
function registryOfOurs(missing: string | null = null) {
  const schemas = knownSchemas(...recordNames.map((name) => catalogue[name].schema))
  const idOf = async (subject: string, schema: object) =>
    subject === missing ? undefined : 1 + recordNames.findIndex((name) => catalogue[name].schema === schema)
  return Object.assign(schemas, { idOf }) as unknown as Registry
}

const topics = [
  { name: 't.outcomes', schema: 'Outcome' },
  { name: 't.panes', schema: 'Pane' },
  { name: 'flights.departures', schema: null },
]

describe('the wire of a topology', () => {
  it('writes each topic with the id of our own schema, and reads it back', async () => {
    const wire = await avroWire(registryOfOurs(), topics)
    const bytes = wire.encode('Pane', { ...examples.Pane }, 't.panes')
    expect(schemaIdOf(bytes)).toBe(1 + recordNames.indexOf('Pane'))
    await wire.prepare('Pane', [bytes])
    expect(wire.decode('Pane', bytes)).toEqual(examples.Pane)
  })

  it('names the topic whose schema is not registered', async () => {
    const opening = avroWire(registryOfOurs('t.panes-value'), topics)
    await expect(opening).rejects.toMatchObject({
      code: 'TM_NOT_APPLIED',
      message: expect.stringContaining('t.panes'),
    })
  })

  it('does not write to a topic that it was not opened for', async () => {
    const wire = await avroWire(registryOfOurs(), topics)
    expect(() => wire.encode('Pane', { ...examples.Pane }, 'flights.departures')).toThrow(
      'flights.departures',
    )
  })
})

describe('the wire format', () => {
  it('keeps ids up to 2^32 - 1 apart', () => {
    for (const id of [0, 1, 255, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = Buffer.alloc(headerBytes)
      bytes.writeUInt32BE(id, 1)
      expect(schemaIdOf(bytes)).toBe(id)
    }
  })

  it('is not what begins otherwise or is too short', () => {
    expect(schemaIdOf(Buffer.from([1, 0, 0, 0, 1]))).toBeUndefined()
    expect(schemaIdOf(Buffer.from([0, 0, 0, 1]))).toBeUndefined()
  })
})
