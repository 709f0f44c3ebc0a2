import { readFileSync } from 'node:fs'
import type { Demo, DemoRecord } from '../demo.ts'
import { type FlightRecord, flightRecords } from './streams.ts'

/** January trained the model; the stream is what came after. */
const firstDeparture = Date.UTC(2001, 1, 1)
/** The last records are sent one by one, at a rate at which each is scored on its own. */
const liveRecords = 300
const hourMs = 3_600_000

const departureSchema = {
  type: 'record',
  name: 'Departure',
  namespace: 'io.tidemark.flights',
  fields: [
    { name: 'flight', type: 'string' },
    { name: 'departed', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
    { name: 'distance', type: 'int' },
  ],
}

const [backlog, live] = split(flightsFrom(firstDeparture))

/** The flights of February and March 2001, with a handful of every kind of record that goes wrong in production. */
export const demo: Demo = {
  formats: { 'flights.departures': { avro: departureSchema }, 'flights.landings': 'json' },
  backlog: () => withTrouble(backlog),
  live: () => live.map(demoRecord),
  livePerSecond: 30,
}

function flightsFrom(first: number): FlightRecord[] {
  const csv = readFileSync(new URL('./data/flights-2001q1.csv', import.meta.url), 'utf8')
  const records = flightRecords(csv)
  const departed = new Set(
    records.filter(({ topic, time }) => topic === 'flights.departures' && time >= first).map(flightOf),
  )
  return records.filter((record) => departed.has(flightOf(record)))
}

function split(records: FlightRecord[]): [FlightRecord[], FlightRecord[]] {
  return [records.slice(0, -liveRecords), records.slice(-liveRecords)]
}

/**
 * Adds what production adds: bytes that are no record, records that break the contract, have no event time or one
 * in the far future, duplicates, and events that come three hours after their turn.
 */
function* withTrouble(records: readonly FlightRecord[]): Generator<DemoRecord> {
  const heldBack: { record: FlightRecord; until: number }[] = []
  for (const [index, record] of records.entries()) {
    while (heldBack[0] && heldBack[0].until <= record.time) yield demoRecord(heldBack.shift()!.record)
    if (index % 4_001 === 1_000) {
      heldBack.push({ record, until: record.time + 3 * hourMs })
      continue
    }
    yield demoRecord(record)
    if (index % 3_989 === 500) yield demoRecord(record)
    if (index % 5_003 === 2_000) yield* badRecords(index)
  }
  for (const { record } of heldBack) yield demoRecord(record)
}

function* badRecords(index: number): Generator<DemoRecord> {
  const flight = `F${90_000 + (index % 10_000)}`
  const departure = { flight, departed: firstDeparture, origin: 'ATL', destination: 'ORD', distance: 606 }
  const bad = (topic: string, value: DemoRecord['value']): DemoRecord => ({ topic, key: 'ATL', value })
  yield bad('flights.departures', Buffer.from('this is neither Avro nor JSON'))
  yield bad('flights.departures', Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]))
  yield bad('flights.departures', json({ ...departure, distance: -1 }))
  yield bad('flights.departures', json({ ...departure, departed: undefined }))
  yield bad('flights.departures', json({ ...departure, departed: Date.UTC(2101, 0, 1) }))
  yield bad('flights.landings', Buffer.from('{"flight": '))
  yield bad('flights.landings', {
    flight,
    landed: firstDeparture,
    origin: 'atlanta',
    destination: 'ORD',
    delay: 3,
  })
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function demoRecord({ topic, key, value }: FlightRecord): DemoRecord {
  return { topic, key, value }
}

function flightOf({ value }: FlightRecord): string {
  return String(value['flight'])
}
