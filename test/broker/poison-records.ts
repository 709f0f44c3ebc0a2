import avro from 'avsc'
import type { Registry } from '../../services/runtime/codec/registry.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'
import { framed } from '../runtime/codec/known-schemas.ts'
import { goodFlight, jsonRecord } from './service-run.ts'

export interface Poison {
  readonly title: string
  readonly record: OutRecord
  readonly reason: string
  readonly detail: RegExp
}

export interface Odd {
  readonly title: string
  readonly record: OutRecord
  /** The flight that must come through all the same. */
  readonly id: string
}

/** Registry ids of schemas that a producer could have registered. */
export interface PoisonSchemas {
  readonly flight: number
  readonly emptyItems: number
  readonly recursive: number
  readonly number: number
}

export const flightSchema = {
  type: 'record',
  name: 'Departure',
  fields: [
    { name: 'flight', type: 'string' },
    { name: 'departed', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
    { name: 'distance', type: 'long' },
    { name: 'fare', type: 'double' },
    { name: 'cabin', type: 'string' },
    { name: 'tags', type: { type: 'map', values: 'string' } },
  ],
}
const emptyItemsSchema = {
  type: 'record',
  name: 'Empty',
  fields: [{ name: 'items', type: { type: 'array', items: 'null' } }],
}
const recursiveSchema = {
  type: 'record',
  name: 'Node',
  fields: [{ name: 'next', type: ['null', 'Node'], default: null }],
}

export async function registerPoison(registry: Registry, topic: string): Promise<PoisonSchemas> {
  const id = (name: string, schema: object) => registry.register(`${topic}-${name}`, schema, 'FULL')
  return {
    flight: await id('flight', flightSchema),
    emptyItems: await id('empty-items', emptyItemsSchema),
    recursive: await id('recursive', recursiveSchema),
    number: await id('number', { type: 'record', name: 'Lonely', fields: [{ name: 'n', type: 'long' }] }),
  }
}

const flightType = avro.Type.forSchema(flightSchema as never)

/** A flight as Avro; what is given may be wrong in value, but not in type. */
export function avroFlight(flight: string, change: Record<string, unknown> = {}): Buffer {
  return flightType.toBuffer({ ...goodFlight(flight), tags: {}, ...change })
}

const key = Buffer.from('ATL')
const raw = (value: Buffer | string | null): OutRecord => ({
  key,
  value: typeof value === 'string' ? Buffer.from(value) : value,
})
const id = 'F000001'
const text = (change: Record<string, unknown> = {}) => JSON.stringify({ ...goodFlight(id), ...change })
/** JSON as its author wrote it, where JSON.stringify would write another. */
const edited = (from: string, to: string, change: Record<string, unknown> = {}) =>
  raw(text(change).replace(from, to))
const without = (name: string) => text({ [name]: undefined })

type Case = readonly [title: string, record: OutRecord, detail: RegExp]

/** Every one of them is refused, and kept as it came. */
export function poisonRecords(schemas: PoisonSchemas): Poison[] {
  const becauseOf = (reason: string, cases: readonly Case[]): Poison[] =>
    cases.map(([title, record, detail]) => ({ title, record, reason, detail }))
  const all = [
    ...becauseOf('undecodable', [...badAvro(schemas), ...badText()]),
    ...becauseOf('contract', brokenContracts(schemas)),
    ...becauseOf('far-future', [
      ['the year 9999', raw(text({ departed: '9999-12-31T23:59:59Z' })), /ms ahead of/],
      ['an hour ahead', raw(text({ departed: Date.now() + 3_600_000 })), /ms ahead of/],
      ['a Kafka timestamp of −1', { ...raw(text()), timestamp: -1 }, /ms ahead of/],
    ]),
    ...becauseOf('no-id', [
      ['no id', raw(without('flight')), /flight: no id/],
      ['an empty id', raw(text({ flight: '' })), /flight: no id/],
      ['fields by inheritance only', raw('{"constructor":{"prototype":{"flight":"F00001"}}}'), /no id/],
    ]),
    ...becauseOf('no-time', [['no time', raw(without('departed')), /departed: no time/]]),
  ]
  // Each says in a header what it is: a letter keeps the headers of its record.
  return all.map((poison) => ({
    ...poison,
    record: { ...poison.record, headers: { poison: poison.title, bytes: Buffer.from([0, 255, 10]) } },
  }))
}

function badAvro(schemas: PoisonSchemas): Case[] {
  const good = framed(schemas.flight, avroFlight(id))
  const badLong = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
  const mapKey = Buffer.concat([Buffer.from([2, 18]), Buffer.from('__proto__'), Buffer.from([2, 0x78, 0])])
  const billions = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f])
  return [
    ['a wrong magic byte', raw(Buffer.concat([Buffer.from([1]), good.subarray(1)])), /neither Avro/],
    ['an unknown schema id', raw(framed(2_000_000_001, Buffer.alloc(9))), /schema 2000000001 is not in/],
    ['Avro cut short', raw(good.subarray(0, good.length - 3)), /does not fit schema/],
    ['a header and nothing more', raw(good.subarray(0, 5)), /does not fit schema/],
    ['bytes behind the Avro', raw(Buffer.concat([good, Buffer.from([7])])), /1 bytes follow/],
    [
      '__proto__ in an Avro map',
      raw(framed(schemas.flight, Buffer.concat([good.subarray(5, -1), mapKey]))),
      /__proto__/,
    ],
    ['a long beyond 2^53 in Avro', raw(framed(schemas.number, badLong)), /too large to be exact/],
    ['billions of items of no bytes', raw(framed(schemas.emptyItems, billions)), /count is larger than/],
    [
      'Avro that recurses',
      raw(framed(schemas.recursive, Buffer.alloc(100_000, 2))),
      /nested too deep|end too early/,
    ],
  ]
}

function badText(): Case[] {
  return [
    ['a tombstone', raw(null), /no value/],
    ['a tombstone without a key', { key: null, value: null }, /no value/],
    ['an empty value', raw(''), /neither Avro/],
    ['random bytes', raw(Buffer.from('8fdd0102fe00aa9944', 'hex')), /neither Avro/],
    [
      'bad UTF-8 in the value',
      raw(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])),
      /UTF-8/,
    ],
    ['half a surrogate pair', edited('economy', '\\ud800'), /half a surrogate/],
    ['deep JSON', edited('99.5', `${'['.repeat(5_000)}${']'.repeat(5_000)}`), /deeper than 32/],
    ['__proto__ in JSON', edited('{', '{"__proto__":{"flight":"F00009"},'), /__proto__/],
    ['a byte order mark', raw(`\ufeff${text()}`), /neither Avro/],
    ['a JSON array', raw(`[${text()}]`), /neither Avro/],
    ['a JSON number', raw('42'), /neither Avro/],
    ['JSON null', raw('null'), /neither Avro/],
    ['JSON cut short', raw(text().slice(0, -2)), /not valid JSON/],
    ['NaN in JSON', edited('99.5', 'NaN'), /not valid JSON/],
    ['two JSON objects', raw(`${text()}${text()}`), /not valid JSON/],
    ['UTF-16', raw(Buffer.from(text(), 'utf16le')), /not valid JSON/],
    [
      'bad UTF-8 in the key of a bad value',
      { key: Buffer.from([0xff, 0xfe, 0]), value: Buffer.from('?') },
      /neither Avro/,
    ],
  ]
}

function brokenContracts(schemas: PoisonSchemas): Case[] {
  const fare = (value: number) => raw(framed(schemas.flight, avroFlight(id, { fare: value })))
  return [
    ['a huge string', raw(text({ flight: `F${'1'.repeat(100_000)}` })), /flight: .*longer than 1024/],
    ['NaN in Avro', fare(Number.NaN), /fare: is not a finite/],
    ['+Infinity in Avro', fare(Number.POSITIVE_INFINITY), /fare: is not a finite/],
    ['−Infinity in Avro', fare(Number.NEGATIVE_INFINITY), /fare: is not a finite/],
    ['infinity in JSON', edited('99.5', '1e999'), /fare: is not a finite/],
    ['an integer beyond 2^53 in JSON', edited('606', '9007199254740993'), /distance: is not an integer/],
    ['−0 where the range begins at 20', edited('606', '-0'), /distance: is outside/],
    ['a missing field', raw(without('origin')), /origin: is null or absent/],
    ['null where it is not allowed', raw(text({ destination: null })), /destination: is null or absent/],
    ['a wrong type', raw(text({ distance: '606' })), /distance: is not an integer/],
    ['an object for a number', raw(text({ fare: { valueOf: 1 } })), /fare: is not a finite/],
    ['a value that is not in the list', raw(text({ cabin: 'cargo' })), /cabin: is not one of/],
    ['a value beyond the range', raw(text({ fare: 10_001 })), /fare: is outside/],
    ['a value that breaks the pattern', raw(text({ origin: 'atl' })), /origin: does not match/],
    ['a time beyond all dates', raw(text({ departed: 8.64e15 + 1 })), /departed: is neither ms/],
    ['a local time', raw(text({ departed: '2026-02-30T10:00' })), /departed: is neither ms/],
  ]
}

/** Strange, and yet events: none of them is refused. */
export function oddRecords(schemas: PoisonSchemas): Odd[] {
  let last = 7_000
  const odd = (title: string, make: (id: string) => OutRecord): Odd => {
    last += 1
    return { title, id: `F00${last}`, record: make(`F00${last}`) }
  }
  const json = (id: string, change: Record<string, unknown> = {}) =>
    JSON.stringify({ ...goodFlight(id), ...change })
  return [
    odd('no key', (id) => jsonRecord(goodFlight(id), null)),
    odd('an empty key', (id) => jsonRecord(goodFlight(id), '')),
    odd('bad UTF-8 in the key', (id) => ({ key: Buffer.from([0xc3, 0x28]), value: Buffer.from(json(id)) })),
    odd('−0', (id) => raw(json(id).replace('99.5', '-0'))),
    odd('keys that every object inherits', (id) =>
      raw(json(id, { constructor: 1, toString: 2, hasOwnProperty: 3 })),
    ),
    odd('constructor in an Avro map', (id) =>
      raw(framed(schemas.flight, avroFlight(id, { tags: { constructor: 'x', toString: 'y' } }))),
    ),
    odd('a key twice: the last one counts', (id) => raw(json(id).replace('{', '{"flight":"F99999",'))),
    odd('a megabyte of a field that nobody asked for', (id) => raw(json(id, { note: 'x'.repeat(900_000) }))),
    odd('31 levels in a field that nobody asked for', (id) =>
      raw(json(id).replace('{', `{"deep":${'['.repeat(31)}${']'.repeat(31)},`)),
    ),
    odd('white space around it', (id) => raw(`\r\n\t ${json(id)}\n`)),
    odd('a time before 1970', (id) => raw(json(id, { departed: -1 }))),
  ]
}
