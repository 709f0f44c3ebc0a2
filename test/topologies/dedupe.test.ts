import { count, event, string, timestamp, topology } from 'tidemark'
import { describe, expect, test } from 'vitest'
import { compile } from '../../topologies/compile.ts'
import type { Duration } from '../../topologies/duration.ts'
import { card, features, label, model, options, payment } from './cards.ts'

/** What is told of a stream's memory, if anything is. */
interface Told {
  readonly lateness?: Duration
  readonly dedupe?: Duration
}

const compiled = (change: object) => compile(topology('cards', { ...options, ...change } as never))
const dedupeMs = (change: object, topic: string) => compiled(change).streams[topic]?.dedupeMs

const withPayment = (told: Told) => {
  const fields = { payment: string(), paid: timestamp(), card }
  const score = event('cards.payments', { id: 'payment', time: 'paid', lateness: '10m', fields, ...told })
  const payments1h = count(score).by(score.card).over('1h')
  const joins = { payment: score.payment }
  const own = { features: { payments1h }, model: { ...model, inputs: ['payments1h'] } }
  const monitors = { ...options.monitors, critical: ['payments1h'] }
  return { score, ...own, label: { ...label, joins }, segments: {}, monitors }
}

const withChargeback = (told: Told) => {
  const fields = { chargeback: string(), filed: timestamp(), payment: string() }
  const from = event('cards.chargebacks', {
    id: 'chargeback',
    time: 'filed',
    lateness: '1h',
    fields,
    ...told,
  })
  const { shopChargebacks7d, ...others } = features
  return { features: others, label: { ...label, from, value: from.payment.equals('p') } }
}

/** A stream that is neither scored nor a label. */
const withVisit = (told: Told) => {
  const fields = { visit: string(), visited: timestamp(), card }
  const visit = event('shop.visits', { id: 'visit', time: 'visited', lateness: '2h', fields, ...told })
  return { features: { ...features, visits1h: count(visit).by(visit.card).over('1h').at(payment.card) } }
}

describe('the memory of ids', () => {
  const dayMs = 86_400_000

  test('lasts, unless told, as long as labels and corrections may come', () => {
    expect(dedupeMs({}, 'cards.payments')).toBe(60 * dayMs + 600_000)
    expect(dedupeMs({}, 'cards.chargebacks')).toBe(60 * dayMs + 3_600_000)
    expect(dedupeMs({ label: { ...label, horizon: '1h' } }, 'cards.payments')).toBe(dayMs)
  })

  test('lasts a day for other streams, or as long as their lateness', () => {
    expect(dedupeMs(withVisit({}), 'shop.visits')).toBe(dayMs)
    expect(dedupeMs(withVisit({ lateness: '3d' }), 'shop.visits')).toBe(3 * dayMs)
    expect(dedupeMs(withVisit({ dedupe: '2h' }), 'shop.visits')).toBe(dayMs / 12)
  })

  test('may be told, if it is long enough', () => {
    expect(dedupeMs(withPayment({ dedupe: '61d', lateness: '1d' }), 'cards.payments')).toBe(61 * dayMs)
    const twice = "twice the label's horizon (30d) plus the lateness"
    expect(() => compiled(withPayment({ dedupe: '60d' }))).toThrow(
      `event cards.payments, dedupe: 60d is shorter than ${twice} 10m`,
    )
    expect(() => compiled(withChargeback({ dedupe: '60d' }))).toThrow(
      `event cards.chargebacks, dedupe: 60d is shorter than ${twice} 1h`,
    )
    expect(() => compiled(withVisit({ dedupe: '1m' }))).toThrow(
      'event shop.visits, dedupe: 1m is shorter than the lateness 2h',
    )
    const some = 'some' as Duration
    expect(() => compiled(withVisit({ lateness: some }))).toThrow(
      'event shop.visits, lateness: "some" is no duration such as 30m, 24h or 7d',
    )
  })
})
