import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkEvent } from '../../services/domain/event/contract.ts'
import { evaluate } from '../../services/domain/feature/expression.ts'
import { compile } from '../../topologies/compile.ts'
import { flightMinutes, flightRecords } from '../../topologies/flight-delay/streams.ts'
import definition from '../../topologies/flight-delay/topology.ts'

const csv = readFileSync(
  new URL('../../topologies/flight-delay/data/flights-2001q1.csv', import.meta.url),
  'utf8',
)
const records = flightRecords(csv)
const topology = compile(definition)

test('every flight departs and lands once, and keeps the contract of both streams', () => {
  expect(records).toHaveLength(40_000)
  for (const topic of ['flights.departures', 'flights.landings'] as const) {
    const stream = topology.streams[topic]!
    const checked = records
      .filter((record) => record.topic === topic)
      .map((record) => checkEvent(stream, record.value))
    expect(checked.every((one) => one.ok && one.flagged.length === 0)).toBe(true)
    expect(new Set(checked.map((one) => one.ok && one.id)).size).toBe(20_000)
  }
})

test('records come in event-time order, under the time that their contract reads', () => {
  expect(records.every((record, index) => index === 0 || records[index - 1]!.time <= record.time)).toBe(true)
  const [first] = records
  expect(first).toMatchObject({
    topic: 'flights.departures',
    key: 'DTW',
    time: Date.parse('2001-01-01T00:47:00Z'),
  })
  const checked = checkEvent(topology.streams['flights.departures']!, first!.value)
  expect(checked.ok && checked.time).toBe(first!.time)
})

test('a landing is a departure, the flight time estimated from the distance, and the delay', () => {
  expect(flightMinutes(1750)).toBe(273)
  const landing = records.find(
    (record) => record.topic === 'flights.landings' && record.value['flight'] === 'F00001',
  )
  expect(landing).toMatchObject({
    key: 'LAS',
    time: Date.parse('2001-01-01T00:47:00Z') + (273 + 66) * 60_000,
  })
})

test('the label says late of 4,349 flights, and 24 land after the horizon', () => {
  const departed = new Map<unknown, number>()
  let late = 0
  let expired = 0
  for (const { topic, value, time } of records) {
    if (topic === 'flights.departures') departed.set(value['flight'], time)
    else {
      if (evaluate(topology.label.value, value) === true) late += 1
      if (time - departed.get(value['flight'])! > topology.label.horizonMs) expired += 1
    }
  }
  expect({ late, expired }).toEqual({ late: 4_349, expired: 24 })
})

test('features and segments of a flight are read off its departure', () => {
  const values = records[0]!.value
  const of = (name: string) => {
    const feature = topology.features[name]
    return feature?.kind === 'expression' ? evaluate(feature.of, values) : undefined
  }
  expect({ hour: of('hour'), weekday: of('weekday'), distance: of('distance') }).toEqual({
    hour: 0,
    weekday: 1,
    distance: 1750,
  })
  expect(evaluate(topology.segments['hub']!, values)).toBe('other')
  expect(evaluate(topology.segments['haul']!, values)).toBe('1000..2000')
})

test('a line that is no flight is named', () => {
  const [header, line] = csv.split('\n')
  expect(() => flightRecords(`${header}\n${line}\n2001-01-01,1,2,ATL\n`)).toThrow(
    'flights: line 3 is not a flight',
  )
  expect(() => flightRecords('a,b\n')).toThrow('flights: the first line is not')
})
