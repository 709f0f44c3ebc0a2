import type { Stored } from './run-topics.ts'

/** What becomes of a record of a user's topic, by definition. */
export type Fate = 'applied' | 'late' | 'duplicate' | 'dead'

export interface Judged {
  readonly topic: string
  readonly partition: number
  readonly id: string
  readonly time: number
  /** Behind its partition's watermark, whatever became of it. */
  readonly late: boolean
  readonly fate: Fate
  readonly value: Readonly<Record<string, unknown>>
}

interface Contract {
  readonly time: string
  /** Whether a late event is set aside. */
  readonly dropsLate: boolean
  readonly valid: (value: Readonly<Record<string, unknown>>) => boolean
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const latenessMs = 30 * minuteMs
const airport = /^[A-Z]{3}$/

/** The contracts of the flights, written out once more: what `topology.ts` compiles to is not asked. */
export const flightContracts: Readonly<Record<string, Contract>> = {
  'flights.departures': {
    time: 'departed',
    dropsLate: false,
    valid: ({ flight, origin, destination, distance }) =>
      isFlight(flight) && isAirport(origin) && isAirport(destination) && isWithin(distance, 20, 6000),
  },
  'flights.landings': {
    time: 'landed',
    dropsLate: true,
    valid: ({ flight, origin, destination }) =>
      isFlight(flight) && isAirport(origin) && isAirport(destination),
  },
}

/** The fates of all records of one topic; each partition for itself. */
export function judge(
  topic: string,
  records: readonly Stored<Record<string, unknown> | undefined>[],
): Judged[] {
  const { time: field, valid, dropsLate } = flightContracts[topic]!
  const newest = new Map<number, number>()
  const seen = new Set<string>()
  return records.map(({ partition, timestamp, value = {} }): Judged => {
    const [id, time] = [String(value['flight']), Number(value[field])]
    const judged = { topic, partition, id, time, value }
    const usable = Number.isFinite(time) && time <= timestamp + hourMs && valid(value)
    if (!usable) return { ...judged, late: false, fate: 'dead' }
    const late = time < (newest.get(partition) ?? Number.NEGATIVE_INFINITY) - latenessMs
    if (seen.has(id)) return { ...judged, late, fate: 'duplicate' }
    seen.add(id)
    newest.set(partition, Math.max(newest.get(partition) ?? time, time))
    return { ...judged, late, fate: late && dropsLate ? 'late' : 'applied' }
  })
}

function isFlight(value: unknown): boolean {
  return typeof value === 'string' && /^F\d{5,9}$/.test(value)
}

function isAirport(value: unknown): boolean {
  return typeof value === 'string' && airport.test(value)
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}
