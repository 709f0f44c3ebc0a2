import { expect, test } from 'vitest'
import type { SourceRecord } from '../../../services/domain/event/accept.ts'
import { ingest } from '../../../services/domain/feature/ingest.ts'
import type { Outgoing } from '../../../services/runtime/turns.ts'
import { startTask } from '../../driver/driver.ts'
import { payments } from './payments.ts'

const payment = { id: 'p1', at: 100, card: 'a', shop: 's', via: null, amount: 2, fraud: false }
const refund = { id: 'r1', at: 100, card: 'a', shop: 's', amount: 2, fraud: null }

test('a payment goes to the journal of each entity that it names, and its own part says which parts will come', () => {
  const written = run('payments', [payment])
  expect(written.map(({ output, key }) => [output, key])).toEqual([
    ['journal:card', 'a'],
    ['journal:shop', 's'],
    ['parts', 'p1'],
  ])
  expect(written[0]?.value).toMatchObject({
    kind: 'event',
    stream: 'payments',
    field: 'card',
    key: 'a',
    id: 'p1',
  })
  expect(written[0]?.value).toMatchObject({ time: 100, late: false, values: payment })
  expect(written[2]?.value).toMatchObject({ part: 'own', parts: ['own', 'card', 'shop'], event: payment })
})

test('features of a role that the event does not fill are missing in its own part', () => {
  const { values, statuses } = ownPart(run('payments', [payment])) as Record<string, Record<string, unknown>>
  expect(values?.['viaShop_mean_12_include']).toBe(null)
  expect(statuses?.['viaShop_mean_12_include']).toBe('missing')
  expect(values?.['viaShop_max_12_include']).toBe(-1)
  expect(statuses?.['viaShop_max_12_include']).toBe('missing')
  expect(statuses).not.toHaveProperty('shop_mean_12_include')
  expect([values?.['double'], statuses?.['double']]).toEqual([4, 'value'])
})

test('a refund goes to the journals alone, and to none for a key that is null', () => {
  expect(run('refunds', [refund]).map(({ output }) => output)).toEqual(['journal:card', 'journal:shop'])
  expect(run('refunds', [{ ...refund, card: null }]).map(({ output }) => output)).toEqual(['journal:shop'])
})

test('an event at the watermark is on time, one below it is late', () => {
  const lateOf = (at: number) => ownPart(run('payments', [payment, { ...payment, id: 'p2', at }]))['late']
  expect(lateOf(92)).toBe(false)
  expect(lateOf(91)).toBe(true)
})

test('a late payment only reads: it is journalled for its own roles, and every feature of its own is stale', () => {
  const written = run('payments', [payment, { ...payment, id: 'p2', at: 80 }])
  const late = written.slice(3)
  expect(late.map(({ output, value }) => [output, value['late']])).toEqual([
    ['journal:card', true],
    ['journal:shop', true],
    ['parts', true],
  ])
  expect(new Set(Object.values(ownPart(late)['statuses'] as object))).toEqual(new Set(['stale']))
})

test('a payment so late that the windows of its time are gone is scored without them', () => {
  const own = (at: number) => ownPart(run('payments', [payment, { ...payment, id: 'p2', at }]))
  expect(own(71)['parts']).toEqual(['own', 'card', 'shop'])
  expect(own(70)['parts']).toEqual(['own'])
  expect(own(70)['statuses']).toMatchObject({ card_count_12_include: 'stale' })
})

test('a late refund goes to the late topic, and so does a late payment when late ones are dropped', () => {
  const late = run('refunds', [refund, { ...refund, id: 'r2', at: 91 }]).slice(2)
  expect(late).toMatchObject([
    { output: 'late', value: { id: 'r2', latenessMs: 1, watermarkAt: 92, stage: 'ingest' } },
  ])
  const dropped = run('payments', [payment, { ...payment, id: 'p2', at: 91 }], { ...payments, late: 'drop' })
  expect(dropped.slice(3).map(({ output }) => output)).toEqual(['late'])
})

test('a second record with the same id is dropped, until event time has left the horizon', () => {
  expect(run('payments', [payment, payment])).toHaveLength(3)
  const later = { ...payment, at: 100_200 }
  const other = { ...payment, id: 'p2', at: 100_150 }
  expect(run('payments', [payment, other, later])).toHaveLength(9)
})

test('what cannot be used is a dead letter that names the reason, and does not move time', () => {
  const reasonOf = (value: unknown) => run('payments', [value, { ...payment, id: 'p2', at: 0 }])[0]?.value
  expect(reasonOf({ ...payment, amount: 'x' })).toMatchObject({
    reason: 'contract',
    detail: expect.stringContaining('amount'),
  })
  expect(reasonOf({ ...payment, at: null })).toMatchObject({ reason: 'no-time' })
  expect(reasonOf({ ...payment, at: 201_001 })).toMatchObject({ reason: 'far-future' })
  const after = run('payments', [
    { ...payment, at: 201_001 },
    { ...payment, id: 'p2', at: 0 },
  ])
  expect(ownPart(after)['late']).toBe(false)
})

test('a role that names no entity is refused by name', () => {
  const fields = {
    ...payments.streams['payments']!.fields,
    card: { type: 'string', nullable: false, breach: 'null' },
  } as const
  const streams = { ...payments.streams, payments: { ...payments.streams['payments']!, fields } }
  expect(() => ingest({ ...payments, streams, topic: 'payments' })).toThrow(
    'payments.card must name the entity card',
  )
})

function run(topic: string, values: readonly unknown[], definition = payments): Outgoing[] {
  const operator = ingest({ ...definition, topic })
  const task = startTask({ writer: 'ingest', upstreams: [], operator })
  return values.flatMap((value, offset) => {
    const record: SourceRecord = { key: null, value: new Uint8Array(), decoded: { ok: true, value } }
    return task.source(record, { topic, partition: 0, offset, timestamp: 200_000 })
  })
}

function ownPart(written: readonly Outgoing[]): Record<string, unknown> {
  return written.findLast(({ value }) => value['part'] === 'own')?.value ?? {}
}
