import type { JournalEntry } from '../../schemas/types.ts'

/** Which keys the records of a bench have. */
export interface Keys {
  readonly kind: 'hot-and-cold' | 'each-once'
  readonly count: number
}

/** Four records of five belong to one key in a hundred, the fifth to any key. */
const hotKeys = 0.01
const hotOf = 5

const startMs = Date.UTC(2024, 0, 1)
const countries = ['DE', 'FR', 'NL', 'PT', 'US']

export const journalWriter = 'ingest/bench.payments/0'

/** The n-th record of a bench: a payment in the journal of its card, about 135 bytes as Avro. Same n, same record. */
export function journalRecord(n: number, keys: Keys): JournalEntry {
  const time = startMs + n * 5
  return {
    kind: 'event',
    stream: 'bench.payments',
    field: 'card',
    key: cardOf(n, keys),
    id: `e${String(n).padStart(9, '0')}`,
    time,
    late: false,
    values: {
      amount: (mix(n + 7) % 100_000) / 100,
      country: countries[mix(n + 13) % 5]!,
      online: n % 3 === 0,
    },
    origin: { writer: journalWriter, incarnation: startMs, offset: n, index: n + 1, time: 0 },
    watermark: time - 10_000,
  }
}

function cardOf(n: number, { kind, count }: Keys): string {
  if (kind === 'each-once') return name(n % count)
  const hot = Math.max(1, Math.floor(count * hotKeys))
  return name(mix(n) % hotOf === 0 ? mix(n + 2) % count : mix(n + 1) % hot)
}

function name(card: number): string {
  return `card-${String(card).padStart(7, '0')}`
}

/** A number that looks like chance and is the same every time: the end of murmur3. */
function mix(n: number): number {
  let hash = Math.imul(n ^ (n >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
