import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeSource,
  decodeSourceSync,
  maxSourceBytes,
  sourceSchemas,
} from '../../../services/runtime/codec/source.ts'
import { framed, knownSchemas } from './known-schemas.ts'

const flight = {
  type: 'record',
  name: 'Departure',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'distance', type: ['null', 'double'], default: null },
    { name: 'length', type: ['null', 'int', 'double'], default: null },
    { name: 'toString', type: 'string', default: '' },
    { name: 'tags', type: { type: 'map', values: 'string' }, default: {} },
    { name: 'stops', type: { type: 'array', items: 'string' }, default: [] },
    { name: 'raw', type: 'bytes', default: '' },
  ],
}
const departure = {
  id: 'e-1',
  time: 981_043_200_000,
  distance: 606.5,
  toString: 'x',
  tags: { hub: 'ATL' },
  stops: ['ATL', 'ORD'],
  raw: Buffer.from([1, 2]),
}
const type = avro.Type.forSchema(flight as never)
const avroBytes = framed(1, type.toBuffer({ ...departure, length: { double: 2.5 } }))

const decode = (value: Uint8Array | string | null, ...schemas: object[]) =>
  decodeSource(typeof value === 'string' ? Buffer.from(value) : value, knownSchemas(...schemas))
const undecodable = (detail: RegExp) => ({
  ok: false,
  reason: 'undecodable',
  detail: expect.stringMatching(detail),
})

describe('an event', () => {
  it('comes out of Avro as numbers, texts and bytes, unions unwrapped', async () => {
    const decoded = await decode(avroBytes, flight)
    expect(decoded).toMatchObject({ ok: true, format: 'avro' })
    expect(decoded.ok && { ...decoded.value }).toEqual({ ...departure, length: 2.5 })
  })

  it('has own fields only, whatever their names', async () => {
    const decoded = await decode(avroBytes, flight)
    expect(decoded.ok && Object.keys(decoded.value)).toEqual(flight.fields.map(({ name }) => name))
    expect(decoded.ok && Object.hasOwn(decoded.value, 'clone')).toBe(false)
  })

  it('comes out of JSON the same', async () => {
    const { raw: _, ...json } = departure
    const decoded = await decode(` \r\n\t${JSON.stringify({ ...json, length: 2.5 })}\n`)
    expect(decoded).toEqual({ ok: true, format: 'json', value: { ...json, length: 2.5 } })
  })

  it('may be an empty JSON object: the contract decides', async () => {
    expect(await decode('{}')).toEqual({ ok: true, format: 'json', value: {} })
  })

  it('may be JSON with keys that every object inherits', async () => {
    const decoded = await decode('{"constructor":1,"toString":2,"hasOwnProperty":3}')
    expect(decoded).toMatchObject({ ok: true, value: { constructor: 1, toString: 2, hasOwnProperty: 3 } })
  })

  it('is decoded in batches with one question per schema', async () => {
    const registry = knownSchemas(flight)
    const values = [avroBytes, avroBytes, Buffer.from('{}'), null]
    const schemas = await sourceSchemas(values, registry)
    expect(values.map((value) => decodeSourceSync(value, schemas).ok)).toEqual([true, true, true, false])
    expect(registry.asked).toEqual([1])
  })
})

describe('bad Avro', () => {
  it('is undecodable when cut short anywhere', async () => {
    for (let end = 5; end < avroBytes.length; end++) {
      expect(await decode(avroBytes.subarray(0, end), flight), `cut at ${end}`).toMatchObject({ ok: false })
    }
  })

  it('is undecodable when something follows', async () => {
    expect(await decode(Buffer.concat([avroBytes, Buffer.from([0])]), flight)).toEqual(
      undecodable(/1 bytes follow/),
    )
  })

  it('is undecodable when its schema is unknown, and that is not an outage', async () => {
    expect(await decode(framed(9, Buffer.alloc(3)), flight)).toEqual(
      undecodable(/schema 9 is not in the registry/),
    )
  })

  it('is undecodable when its schema is no record or makes no sense', async () => {
    expect(await decode(framed(1, Buffer.from([2])), { type: 'long' })).toEqual(
      undecodable(/long, not a record/),
    )
    expect(
      await decode(framed(1, Buffer.from([2])), {
        type: 'record',
        name: 'A',
        fields: [{ name: 'a', type: 'nope' }],
      }),
    ).toEqual(undecodable(/schema cannot be read/))
  })

  it('is undecodable when a long is beyond what a double holds exactly', async () => {
    const long = { type: 'record', name: 'L', fields: [{ name: 'n', type: 'long' }] }
    const beyond = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
    expect(await decode(framed(1, beyond), long)).toEqual(undecodable(/schema 1/))
  })

  it('never allocates what a count merely claims', async () => {
    const numbers = {
      type: 'record',
      name: 'N',
      fields: [{ name: 'n', type: { type: 'array', items: 'int' } }],
    }
    const map = { type: 'record', name: 'M', fields: [{ name: 'm', type: { type: 'map', values: 'int' } }] }
    const nulls = {
      type: 'record',
      name: 'Z',
      fields: [{ name: 'z', type: { type: 'array', items: 'null' } }],
    }
    const billions = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f])
    for (const schema of [numbers, map, nulls]) {
      expect(await decode(framed(1, billions), schema)).toEqual(undecodable(/count is larger than the bytes/))
    }
    const block = Buffer.from([...Array(40).fill(0), 0])
    block.writeUInt8(80, 0)
    expect(await decode(framed(1, block), nulls)).toEqual(undecodable(/too many items of no bytes/))
  })

  it('is undecodable when it is nested without end', async () => {
    const node = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] }
    const nested = (depth: number) => framed(1, Buffer.concat([Buffer.alloc(depth - 1, 2), Buffer.from([0])]))
    expect(await decode(nested(32), node)).toMatchObject({ ok: true })
    expect(await decode(nested(34), node)).toEqual(undecodable(/nested deeper than 32/))
    expect(await decode(nested(500_000), node)).toEqual(undecodable(/nested too deep/))
  })

  it('cannot reach a prototype through a map or a field', async () => {
    const inner = { type: 'record', name: 'Inner', fields: [{ name: 'polluted', type: 'string' }] }
    const map = { type: 'record', name: 'M', fields: [{ name: 'm', type: { type: 'map', values: inner } }] }
    const key = Buffer.concat([Buffer.from([2, 18]), Buffer.from('__proto__'), Buffer.from([2, 0x78, 0])])
    expect(await decode(framed(1, key), map)).toEqual(undecodable(/key __proto__/))
    const field = { type: 'record', name: 'F', fields: [{ name: '__proto__', type: inner }] }
    expect(await decode(framed(1, Buffer.from([2, 0x78])), field)).toEqual(
      undecodable(/field named __proto__/),
    )
  })
})

describe('bad JSON', () => {
  it.each([
    ['', /neither/],
    ['   ', /neither/],
    ['[1]', /neither/],
    ['"text"', /neither/],
    ['null', /neither/],
    ['{', /not valid JSON/],
    ['{"a":1}}', /not valid JSON/],
    ['{"a":NaN}', /not valid JSON/],
    ['{"__proto__":{"admin":true}}', /__proto__/],
    ['{"a":[{"__proto__":1}]}', /__proto__/],
    ['{"a":"\\ud800"}', /half a surrogate/],
    ['{"\\udc00":1}', /half a surrogate/],
    [`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, /deeper than 32/],
    [`{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`, /deeper than 32/],
    [`{"a":"${'x'.repeat(maxSourceBytes)}"}`, /bytes, more than/],
  ])('is undecodable: %.30s', async (text, detail) => {
    expect(await decode(text)).toEqual(undecodable(detail))
  })

  it('is undecodable when it is not UTF-8, or in another encoding', async () => {
    expect(await decode(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual(
      undecodable(/UTF-8/),
    )
    expect(await decode(Buffer.from('{"a":1}', 'utf16le'))).toEqual(undecodable(/not valid JSON/))
  })

  it('is undecodable when there is nothing', async () => {
    expect(await decode(null)).toEqual(undecodable(/no value/))
  })
})

describe('whatever the bytes are', () => {
  it('decoding never throws, and never touches what objects inherit', async () => {
    const registry = knownSchemas(flight)
    const schemas = await registry.schemas([1])
    const anyBytes = fc.uint8Array({ maxLength: 200 }).filter((bytes) => bytes[0] !== 0)
    const likeAvro = anyBytes.map((bytes) => framed(1, bytes))
    const flipped = fc.tuple(fc.nat(avroBytes.length - 6), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(avroBytes)
      bytes[at + 5] = byte
      return bytes
    })
    const likeJson = fc.json().map((text) => Buffer.from(`{"a":${text}}`))
    fc.assert(
      fc.property(fc.oneof(anyBytes, likeAvro, flipped, likeJson), (bytes) => {
        const decoded = decodeSourceSync(bytes, schemas)
        expect(typeof decoded.ok).toBe('boolean')
      }),
      { numRuns: 3000 },
    )
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})

describe('a registry that is away', () => {
  it('is an exception that can be tried again, not a verdict on the record', async () => {
    const registry = knownSchemas(flight)
    registry.away = true
    await expect(decodeSource(avroBytes, registry)).rejects.toMatchObject({ code: 'TM_REGISTRY_AWAY' })
    registry.away = false
    expect(await decodeSource(avroBytes, registry)).toMatchObject({ ok: true })
  })

  it('does not matter for JSON', async () => {
    const registry = knownSchemas()
    registry.away = true
    expect(await decodeSource(Buffer.from('{}'), registry)).toMatchObject({ ok: true })
  })

  it('is also what a schema counts as that was not fetched with its batch', () => {
    expect(() => decodeSourceSync(avroBytes, new Map())).toThrow(
      expect.objectContaining({ code: 'TM_REGISTRY_AWAY' }),
    )
  })
})
