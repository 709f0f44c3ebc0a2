import fc from 'fast-check'
import type { Field, Stream } from '../../../services/domain/event/contract.ts'
import type {
  AggregateName,
  Feature,
  FeatureOf,
  Quantity,
} from '../../../services/domain/feature/definition.ts'
import type { Expression } from '../../../services/domain/feature/expression.ts'
import type { FeatureDefinition, SourceLine } from '../../driver/features.ts'

const documented: FeatureOf = { type: 'number', default: null, owner: 'test', version: 1, description: '' }

const inputs: Readonly<Record<AggregateName, Expression | null>> = {
  count: null,
  sum: field('amount'),
  mean: field('amount'),
  share: field('fraud'),
  min: field('amount'),
  max: field('amount'),
  last: field('amount'),
}

/**
 * A small world: payments with a card, perhaps a shop and a second shop, and refunds that name a shop and perhaps a
 * card. Times are a few ms apart, so that ties, late events and window edges are common; features are every
 * aggregate over two windows, with and without the event itself.
 */
export const payments: FeatureDefinition = {
  scored: 'payments',
  late: 'score',
  alignmentMs: 5,
  waitMs: 1_000,
  streams: {
    payments: stream('payments', {
      card: text({ entity: 'card' }),
      shop: text({ entity: 'shop', nullable: true }),
      via: text({ entity: 'shop', nullable: true }),
    }),
    refunds: stream('refunds', {
      shop: text({ entity: 'shop' }),
      card: text({ entity: 'card', nullable: true }),
    }),
  },
  features: {
    ...everyAggregate('card', { stream: 'payments', by: 'card', entity: 'card' }, 'card'),
    ...everyAggregate('refundedCard', { stream: 'refunds', by: 'card', entity: 'card' }, 'card'),
    ...everyAggregate('shop', { stream: 'payments', by: 'shop', entity: 'shop' }, 'shop'),
    ...everyAggregate('viaShop', { stream: 'payments', by: 'shop', entity: 'shop' }, 'via'),
    ...everyAggregate('refundedVia', { stream: 'refunds', by: 'shop', entity: 'shop' }, 'via'),
    double: {
      ...documented,
      kind: 'expression',
      of: { op: 'multiply', left: field('amount'), right: { op: 'literal', value: 2 } },
    },
    isFraud: { ...documented, type: 'boolean', default: false, kind: 'expression', of: field('fraud') },
  },
}

export interface Payment {
  readonly topic: 'payments' | 'refunds'
  readonly partition: number
  /** How far time goes on, and how far this event then lies behind. */
  readonly stepMs: number
  readonly behindMs: number
  readonly card: string | null
  readonly shop: string | null
  readonly via: string | null
  readonly amount: number | null
  readonly fraud: boolean | null
  /** Sent once more, so many records later. */
  readonly againAfter: number | null
  readonly cut: boolean
  readonly mark: boolean
}

const card = fc.oneof({ weight: 3, arbitrary: fc.constant('hot') }, fc.constantFrom('a', 'b|%', '', '日本'))
const shop = fc.constantFrom('s', 't', 'u|payments|shop', null)

/** Random traffic with disorder, late events (behind by more than 8), very late ones, ties, nulls and duplicates. */
export const traffic: fc.Arbitrary<Payment[]> = fc.array(
  fc.record({
    topic: fc.constantFrom('payments', 'payments', 'refunds'),
    partition: fc.constantFrom(0, 1),
    stepMs: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 3 }) },
      fc.constantFrom(12, 60, 61, 300),
    ),
    behindMs: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }) },
      fc.integer({ min: 9, max: 60 }),
    ),
    card,
    shop,
    via: shop,
    amount: fc.oneof(
      fc.constantFrom(null, 0, -0, 0.1, 1e15, -1e15),
      fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
    ),
    fraud: fc.constantFrom(true, false, null),
    againAfter: fc.option(fc.nat({ max: 5 }), { freq: 8 }),
    cut: fc.boolean(),
    mark: fc.boolean(),
  }),
  { maxLength: 150, size: 'max' },
)

/** The records in the order of their arrival, each under its own id. */
export function linesOf(traffic: readonly Payment[], startMs = 1_000_000): SourceLine[] {
  const arrivals: { readonly at: number; readonly line: SourceLine }[] = []
  let now = startMs
  traffic.forEach(({ topic, partition, stepMs, behindMs, againAfter, cut, mark, ...fields }, index) => {
    now += stepMs
    const value = { ...fields, id: `e${index}`, at: now - behindMs }
    const line = { topic, partition, timestamp: now, decoded: { ok: true, value }, cut, mark } as const
    arrivals.push({ at: index, line })
    if (againAfter !== null) arrivals.push({ at: index + againAfter + 0.5, line })
  })
  return arrivals.sort((left, right) => left.at - right.at).map(({ line }) => line)
}

function everyAggregate(
  prefix: string,
  from: Pick<Quantity, 'stream' | 'by' | 'entity'>,
  at: string,
): Record<string, Feature> {
  const features: Record<string, Feature> = {}
  for (const aggregate of Object.keys(inputs) as AggregateName[]) {
    for (const sizeMs of [12, 60]) {
      for (const self of ['include', 'exclude'] as const) {
        const quantity = {
          ...from,
          aggregate,
          of: inputs[aggregate],
          window: { kind: 'trailing', sizeMs } as const,
          self,
        }
        const kept = aggregate === 'max' ? { ...documented, default: -1 } : documented
        features[`${prefix}_${aggregate}_${sizeMs}_${self}`] = { ...kept, kind: 'aggregate', quantity, at }
      }
    }
  }
  return features
}

function stream(topic: string, entities: Record<string, Field>): Stream {
  const times = { latenessMs: 8, maxAheadMs: 1_000, dedupeMs: 100_000, idleMs: 1_000 }
  const fields: Record<string, Field> = {
    ...entities,
    id: text({}),
    at: { ...text({}), type: 'timestamp' },
    amount: { type: 'number', nullable: true, breach: 'reject' },
    fraud: { type: 'boolean', nullable: true, breach: 'reject' },
  }
  return { topic, partitions: 2, id: 'id', time: 'at', ...times, fields }
}

function text(more: Partial<Field>): Field {
  return { type: 'string', nullable: false, breach: 'reject', ...more }
}

function field(name: string): Expression {
  return { op: 'field', name }
}
