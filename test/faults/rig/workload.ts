import type { LedgerKind } from '../ledger.ts'
import { type Random, randomOf } from './random.ts'

/** A record as it will be produced; an object is encoded in its topic's format, bytes and null go as they are. */
export interface Drawn {
  readonly stream: 'orders' | 'visits' | 'refunds'
  readonly key: string
  readonly kind: LedgerKind
  readonly id: string | null
  readonly time: number | null
  readonly value: Readonly<Record<string, unknown>> | Buffer | null
}

export interface Workload {
  /** About `count` records for this moment of the wall clock; what was put off until now comes with them. */
  draw(count: number, nowMs: number): Drawn[]
}

export const orderSchema = {
  type: 'record',
  name: 'Order',
  namespace: 'io.tidemark.faults',
  fields: [
    { name: 'order', type: 'string' },
    { name: 'placed', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'shop', type: 'string' },
    { name: 'amount', type: 'double' },
  ],
}

/**
 * Orders, visits and refunds as a seed decides: hot and cold shops, repetitions by id, events out of order within the
 * allowed lateness and beyond, poison, and labels that are delayed, repeated, corrected, missing or of no order.
 */
export function createWorkload(seed: number): Workload {
  const random = randomOf(seed, 'workload')
  const later: { dueMs: number; record: Drawn }[] = []
  let orders = 0
  let visits = 0

  const putOff = (dueMs: number, record: Drawn) => later.push({ dueMs, record })

  function nextOrder(nowMs: number): Drawn {
    const id = `O${String(orders++).padStart(8, '0')}`
    const { time, kind } = timeOf(random, nowMs)
    const amount = Math.round(100 * (1 + 3_000 * random.share() ** 2)) / 100
    const shop = shopOf(random)
    const value = { order: id, placed: time, shop, amount }
    const record: Drawn = { stream: 'orders', key: shop, kind: kind ?? 'event', id, time, value }
    repeat(random, record, nowMs, putOff)
    for (const label of labelsOf(random, id, time)) putOff(label.time!, label)
    return record
  }

  function nextVisit(nowMs: number): Drawn {
    const id = `V${String(visits++).padStart(8, '0')}`
    const { time, kind } = timeOf(random, nowMs)
    const shop = shopOf(random)
    // Out of range now and then, which the contract turns into null.
    const party = random.chance(0.05) ? null : random.chance(0.02) ? 12 : 1 + random.below(7)
    const wait = Math.round(10 * random.between(0, 300)) / 10
    const value = { visit: id, entered: time, shop, party, wait, bought: random.chance(0.3) }
    const record: Drawn = { stream: 'visits', key: shop, kind: kind ?? 'feed', id, time, value }
    repeat(random, record, nowMs, putOff)
    return record
  }

  return {
    draw(count, nowMs) {
      const due = later.filter(({ dueMs }) => dueMs <= nowMs)
      if (due.length > 0) later.splice(0, later.length, ...later.filter(({ dueMs }) => dueMs > nowMs))
      const drawn = due.map(({ record }) => record)
      while (drawn.length < count) {
        if (random.chance(0.005)) drawn.push(poison(random, nowMs))
        else drawn.push(random.chance(0.5) ? nextOrder(nowMs) : nextVisit(nowMs))
      }
      return drawn
    },
  }
}

/** A fifth of everything at one shop, and one event in thirty at a shop that hardly ever sees another. */
function shopOf(random: Random): string {
  const place = random.share()
  if (place < 0.2) return 'S000'
  if (place < 0.3) return 'S001'
  const number = place < 0.97 ? 2 + Math.floor(60 * random.share() ** 2) : 100 + random.below(900)
  return `S${String(number).padStart(3, '0')}`
}

/** Mostly now, often up to 1.5 s ago, which is in time, and sometimes so long ago that it is late. */
function timeOf(random: Random, nowMs: number): { time: number; kind?: LedgerKind } {
  if (random.chance(0.02)) return { time: nowMs - Math.round(random.between(4_000, 9_000)), kind: 'late' }
  if (random.chance(0.3)) return { time: nowMs - Math.round(random.between(0, 1_500)) }
  return { time: nowMs }
}

function repeat(
  random: Random,
  record: Drawn,
  nowMs: number,
  putOff: (dueMs: number, record: Drawn) => void,
): void {
  if (!random.chance(0.03)) return
  putOff(nowMs + random.between(0, 10_000), { ...record, kind: 'duplicate' })
}

function labelsOf(random: Random, order: string, placed: number): Drawn[] {
  const label = (id: string, time: number, refunded: boolean): Drawn => {
    const value = { order: id, decided: time, refunded }
    return { stream: 'refunds', key: id, kind: 'label', id, time, value }
  }
  const labels: Drawn[] = []
  if (!random.chance(0.12)) {
    // One in ten comes after its horizon of 20 s.
    const delayMs = random.chance(0.1) ? random.between(20_500, 30_000) : random.between(200, 15_000)
    const time = Math.round(placed + delayMs)
    const refunded = random.chance(0.2)
    labels.push(label(order, time, refunded))
    if (random.chance(0.04)) labels.push({ ...label(order, time, refunded), kind: 'duplicate' })
    if (random.chance(0.06)) labels.push(label(order, time + 1_000 + random.below(8_000), !refunded))
  }
  if (random.chance(0.01))
    labels.push(label(`O9${String(random.below(10_000_000)).padStart(7, '0')}`, placed + 500, true))
  return labels
}

function poison(random: Random, nowMs: number): Drawn {
  const stream = random.pick(['orders', 'visits', 'refunds'] as const)
  const bad = (value: Drawn['value'], time: number | null = null): Drawn => {
    return { stream, key: shopOf(random), kind: 'poison', id: null, time, value }
  }
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  const order = { order: 'O88888888', placed: nowMs, shop: 'S000', amount: 5 }
  const visit = { visit: 'V88888888', entered: nowMs, shop: 'S000', party: 2, wait: 1, bought: true }
  const refund = { order: 'O88888888', decided: nowMs, refunded: true }
  const good = { orders: order, visits: visit, refunds: refund }[stream]
  const time = { orders: 'placed', visits: 'entered', refunds: 'decided' }[stream]
  const id = { orders: 'order', visits: 'visit', refunds: 'order' }[stream]
  return random.pick([
    () => bad(null),
    () => bad(Buffer.from('neither Avro nor JSON')),
    () => bad(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3])),
    () => bad(Buffer.from([0, 0, 0])),
    () => bad(Buffer.from('{"order": ')),
    () => bad(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])),
    () => bad(json({ ...good, [time]: nowMs + 3_600_000 }), nowMs + 3_600_000),
    () => bad(json({ ...good, [time]: undefined })),
    () => bad(json({ ...good, [id]: '' })),
    () => bad(json({ ...good, [id]: 'no such pattern' })),
    () => bad(json([good])),
    () => bad(json('a text')),
    () => bad(Buffer.from(`{"__proto__":{"${id}":"O1"},"${time}":${nowMs}}`)),
  ])()
}
