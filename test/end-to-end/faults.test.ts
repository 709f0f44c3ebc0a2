import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Prediction } from '../../schemas/types.ts'
import { openPlace, type Place } from './command.ts'
import { type FlightRun, flightDelay, proveSummary, summaryOf } from './flight-books.ts'
import { payload, proveTopics } from './proof.ts'
import { readRun } from './run-topics.ts'

const runMs = 300_000

let place: Place
let run: FlightRun

beforeAll(async () => {
  place = openPlace()
  const ended = await place.run(
    ['dev', '--once', '--json', '--reset', '--instances', '2', '--kill-each'],
    runMs,
  )
  const summary = summaryOf(ended)
  run = { ended, summary, topics: await readRun(inject('brokers'), inject('registry'), flightDelay) }
}, runMs + 30_000)

afterAll(() => place[Symbol.asyncDispose]())

describe('a run with two processes of each service, of which one is killed', () => {
  it('killed one process of each of the four services, and both instances worked', () => {
    const killed = run.ended.stderr.match(/^kill -9 \w+/gm) ?? []
    expect(killed.toSorted()).toEqual(
      ['features', 'outcomes', 'predictions', 'reports'].map((service) => `kill -9 ${service}`),
    )
    const instances = payload<Prediction>(run.topics, 'predictions').map(
      ({ value }) => value.runtime?.instance,
    )
    expect([...new Set(instances)].sort()).toEqual(['0', '1'])
  })

  proveSummary(() => run)
  proveTopics(() => run.topics)
})
