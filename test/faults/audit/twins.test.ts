import fc from 'fast-check'
import { expect, it } from 'vitest'
import { selfContainedSchemas } from '../../../schemas/generated/self-contained.ts'
import { checkEvent, type Stream } from '../../../services/domain/event/contract.ts'
import { cellIn, type FeatureFrame, type FeatureStatus } from '../../../services/domain/report/cell.ts'
import { partitionOf } from '../../../services/runtime/kafka/partition.ts'
import { avroType, createDecoder } from './avro.ts'
import { cellOf } from './cells.ts'
import { contracted } from './contract.ts'
import { partitionOfKey } from './partitioner.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const numRuns = 2_000
console.log(`audit/twins seed ${seed}`)

/** What the auditor works out for itself must mean the same: a misunderstanding would look like a fault in every run. */
const base = {
  topic: 't',
  partitions: 1,
  id: 'id',
  time: 'at',
  latenessMs: 0,
  maxAheadMs: 0,
  dedupeMs: 0,
  idleMs: 0,
}
const stream: Stream = {
  ...base,
  fields: {
    id: { type: 'string', nullable: false, pattern: '[a-z]+', breach: 'reject' },
    at: { type: 'timestamp', nullable: false, breach: 'reject' },
    shop: { type: 'string', nullable: true, entity: 'shop', breach: 'null' },
    amount: { type: 'number', nullable: false, range: [-5, 5], breach: 'null' },
    count: { type: 'integer', nullable: true, range: [0, 9], breach: 'flag' },
    kind: { type: 'string', nullable: true, oneOf: ['a', 'b'], breach: 'reject' },
    open: { type: 'boolean', nullable: true, breach: 'flag' },
  },
}

const iso = fc
  .tuple(fc.integer({ min: 0, max: 2_100 }), fc.integer({ min: 0, max: 13 }), fc.integer({ min: 0, max: 32 }))
  .chain(([year, month, day]) => {
    const pad = (number: number, digits = 2) => String(number).padStart(digits, '0')
    const time = fc.constantFrom('00:00', '23:59:59', '12:30:01.5', '24:00', '08:15:30,123456789', '7:00')
    const zone = fc.constantFrom('Z', 'z', '+01:00', '-0530', '+24:00', '+00:60', '', '-23:59')
    const join = fc.constantFrom('T', 't', ' ', '_')
    return fc
      .tuple(join, time, zone)
      .map(([between, clock, where]) => `${pad(year, 4)}-${pad(month)}-${pad(day)}${between}${clock}${where}`)
  })
const anything = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    '',
    'a',
    'b',
    'abc',
    'A1',
    true,
    false,
    0,
    -0,
    5,
    5.5,
    10,
    2 ** 53,
    Number.NaN,
  ),
  fc.constantFrom(
    8_640_000_000_000_000,
    -8_640_000_000_000_000,
    1_700_000_000_000,
    '\ud800',
    'x'.repeat(1_025),
  ),
  iso,
  fc.double(),
)
const record = fc.record(Object.fromEntries(Object.keys(stream.fields).map((name) => [name, anything])))

it('reads a contract as the services do', () => {
  let accepted = 0
  fc.assert(
    fc.property(record, fc.constantFrom('abc', null), (drawn, id) => {
      // Most of what is drawn breaks the contract; with a good id and time more of it is accepted.
      const given =
        id === null ? drawn : { ...drawn, id, at: drawn['amount'] === 5 ? 7 : drawn['at'], kind: 'a' }
      const ours = contracted(stream, given)
      const theirs = checkEvent(stream, given)
      expect(ours.ok).toBe(theirs.ok)
      if (ours.ok && theirs.ok) {
        accepted += 1
        const { id, time, values } = theirs
        // Toward the journal minus zero becomes zero; the contract itself keeps it.
        const plain = Object.entries(values).map(([name, value]) => [name, value === 0 ? 0 : value])
        expect(ours).toEqual({ ok: true, id, time: time + 0, values: Object.fromEntries(plain) })
      } else expect(ours).toMatchObject({ reason: (theirs as { reason: string }).reason })
    }),
    { seed, numRuns: 4 * numRuns },
  )
  expect(accepted).toBeGreaterThan(20)
})

it('finds the partition of a key as the services do, and as the Java client does', () => {
  expect(partitionOfKey(Buffer.from('foobar'), 1_000)).toBe((-790332482 & 0x7fffffff) % 1_000)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 64 }), (key, partitions) => {
      expect(partitionOfKey(key, partitions)).toBe(partitionOf(key, partitions))
    }),
    { seed, numRuns },
  )
})

it('puts values into cells as the services do', () => {
  const frames = fc.constantFrom<FeatureFrame>(
    { kind: 'numeric', edges: [-1, 0, 2, 5] },
    { kind: 'numeric', edges: [0, 3, 3] },
    { kind: 'numeric', edges: [] },
    { kind: 'categorical', vocabulary: ['a', 'true', '1'] },
  )
  const values = fc.oneof(
    fc.constantFrom(null, 'a', 'z', true, 1, 0, 3, 5, -1, Number.NaN, Number.POSITIVE_INFINITY),
    fc.double({ min: -2, max: 6 }),
  )
  const statuses = fc.constantFrom<FeatureStatus>(
    ...(['value', 'value', 'default', 'missing', 'invalid', 'stale', 'warming', 'approximate'] as const),
  )
  fc.assert(
    fc.property(frames, values, statuses, (frame, value, status) => {
      expect(cellOf(frame, value, status)).toBe(cellIn(frame, value, status))
    }),
    { seed, numRuns },
  )
})

it('reads longs that no double may be doubled for, and skips all but the stamp', () => {
  const schema = selfContainedSchemas.OutcomeEntry
  const type = avroType(schema)
  const decoder = createDecoder(new Map([[3, JSON.stringify(schema)]]))
  const origin = { writer: 'carry/x/0', incarnation: 1_795_224_060_000, offset: 5, index: 2 ** 40, time: 0 }
  for (const watermark of [-8_640_000_000_000_000, 8_640_000_000_000_000, 0, -1, 1_795_224_060_000]) {
    const bytes = Buffer.concat([
      Buffer.from([0, 0, 0, 0, 3]),
      type.toBuffer({ kind: 'label', origin, watermark }),
    ])
    expect(decoder.own(bytes)).toMatchObject({ kind: 'label', id: '', watermark, origin })
    expect({ ...decoder.stamp(bytes) }).toMatchObject({ kind: 'label', watermark, origin })
  }
})
