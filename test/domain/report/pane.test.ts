import { describe, expect, test } from 'vitest'
import { beforeTime } from '../../../services/domain/operator.ts'
import { type OutcomeInput, type PaneInput, paneBuilder } from '../../../services/domain/report/pane.ts'
import { addCells, type Tally } from '../../../services/domain/report/tally.ts'
import type { Pane } from '../../../services/domain/report/verdict.ts'
import { seeded, shuffled } from './random.ts'
import { taskOf } from './task.ts'
import { drawRows, hourMs, monday, outcomeOf, predictionOf, profileOf } from './world.ts'

const sources = {
  predictions: 'prediction',
  outcomes: 'outcome',
  late: 'late',
  'dead-letters': 'deadLetter',
} as const
const definition = { paneMs: hourMs, sources }
const profile = profileOf(drawRows(1, 2000))
const rows = drawRows(2, 300)
const predictions = rows.map((row, i) => predictionOf(profile, row, monday + i * 60_000))

const run = (records: readonly PaneInput[], topic: string, watermarks: readonly number[] = []) => {
  const task = taskOf(paneBuilder(definition))
  for (const [i, record] of records.entries()) task.take(record, topic, watermarks[i])
  task.end()
  return { task, panes: task.emitted.map((emission) => emission.value as unknown as Pane) }
}

/** The sum of panes, by start and name. */
const sumOf = (panes: readonly Pane[]): Map<string, readonly number[]> => {
  const sums = new Map<string, readonly number[]>()
  const add = (pane: Pane, { feature, segment, model, cells }: Tally) => {
    const name = JSON.stringify([pane.kind, pane.start, feature, segment, model])
    sums.set(name, addCells(sums.get(name) ?? [], cells))
  }
  for (const pane of panes) for (const tally of pane.counts) add(pane, tally)
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const firstOf = (panes: readonly Pane[], feature: string, segment = ''): readonly number[] =>
  panes[0]?.counts.find((tally) => tally.feature === feature && tally.segment === segment)?.cells ?? []

describe('panes of predictions', () => {
  test('hold one count per feature, segment and model, and close when the watermark passes their end', () => {
    const task = taskOf(paneBuilder(definition))
    for (const prediction of predictions.slice(0, 60)) task.take(prediction, 'predictions', prediction.time)
    expect(task.emitted).toEqual([])
    task.advance(monday + hourMs)
    expect(task.emitted).toHaveLength(1)
    const [{ to, key, value, watermark }] = task.emitted as [(typeof task.emitted)[0]]
    const pane = value as unknown as Pane
    expect([to, key, watermark]).toEqual(['panes', `prediction/${monday}`, monday + hourMs])
    expect([pane.kind, pane.start, pane.end]).toEqual(['prediction', monday, monday + hourMs])
    expect(pane.counts.map((tally) => tally.model)).toEqual(new Array(pane.counts.length).fill('late@1'))
    const rowsIn = (segment: string) => firstOf([pane], 'hour', segment).reduce((a, b) => a + b, 0)
    expect(rowsIn('')).toBe(60)
    expect(rowsIn('hub=ATL') + rowsIn('hub=other')).toBe(60)
  })

  test('leave nothing behind in the state', () => {
    const { task } = run(predictions, 'predictions')
    expect([...task.state.keys()]).toEqual([])
    expect(task.wakes.size).toBe(0)
  })

  test('a record for a pane already sent opens a partial pane, sent at the next boundary', () => {
    const now = monday + 5 * hourMs + 1
    const task = taskOf(paneBuilder(definition))
    task.take(predictions[0]!, 'predictions', now)
    task.take(predictions[1]!, 'predictions', now + 1000)
    task.advance(monday + 6 * hourMs - 1)
    expect(task.emitted).toEqual([])
    task.advance(monday + 6 * hourMs)
    expect(task.emitted.map(({ key }) => key)).toEqual([`prediction/${monday}`])
  })

  test('add up to the same counts whatever the order and however time went: seeds 1 to 8', () => {
    const whole = sumOf(run(predictions, 'predictions').panes)
    for (let seed = 1; seed <= 8; seed++) {
      const random = seeded(seed)
      const mixed = shuffled(predictions, random)
      const watermarks = mixed.map((_, i) => monday + i * 60_000 * 2 * random())
      const { panes } = run(mixed, 'predictions', watermarks)
      expect(panes.length).toBeGreaterThan(5)
      expect(sumOf(panes)).toEqual(whole)
    }
  })

  test('list their counts in one order, whatever the order of the records', () => {
    const mixed = shuffled(predictions, seeded(9))
    expect(JSON.stringify(run(mixed, 'predictions').panes)).toBe(
      JSON.stringify(run(predictions, 'predictions').panes),
    )
  })

  test('of two halves add up to those of the whole', () => {
    const halves = [0, 1].flatMap(
      (half) =>
        run(
          predictions.filter((_, i) => i % 2 === half),
          'predictions',
        ).panes,
    )
    expect(sumOf(halves)).toEqual(sumOf(run(predictions, 'predictions').panes))
  })

  test('replayed are equal byte for byte', () => {
    expect(JSON.stringify(run(predictions, 'predictions').panes)).toBe(
      JSON.stringify(run(predictions, 'predictions').panes),
    )
  })
})

describe('panes of outcomes', () => {
  const outcome: OutcomeInput = { ...outcomeOf(profile, rows[0]!, monday), label: true, scoreCell: 3 }
  const count = (...records: OutcomeInput[]) => {
    const { panes } = run(records, 'outcomes')
    return ['__score__', '__positive__', '__state__'].map((feature) => firstOf(panes, feature))
  }

  test('count labels and positives per score cell, and states', () => {
    expect(count(outcome, { ...outcome, label: false })).toEqual([[0, 0, 0, 2], [0, 0, 0, 1], [2]])
    expect(count({ ...outcome, state: 'expired', label: null })).toEqual([[], [], [0, 1]])
    expect(count({ ...outcome, state: 'orphan', model: '', modelVersion: 0 })).toEqual([[], [], [0, 0, 0, 1]])
  })

  test('count the class that absence stands for', () => {
    expect(count({ ...outcome, state: 'expired', label: false })).toEqual([[0, 0, 0, 1], [], [0, 1]])
  })

  test('a correction takes back what the label before had counted', () => {
    const corrected: OutcomeInput = { ...outcome, state: 'corrected', label: false, previousLabel: true }
    expect(count(outcome, corrected)).toEqual([
      [0, 0, 0, 1],
      [0, 0, 0, 0],
      [1, 0, 1],
    ])
    const expired: OutcomeInput = { ...outcome, state: 'expired', label: null }
    expect(count(expired, { ...corrected, label: true, previousLabel: null })).toEqual([
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [0, 1, 1],
    ])
  })
})

describe('panes of what was set aside', () => {
  const letter = {
    topic: 'departures',
    stage: 'ingest',
    reason: 'contract',
    timestamp: 7 * hourMs,
    watermark: monday,
  }

  test('belong to the event time at which it was met, by topic, stage and reason', () => {
    const later = { ...letter, watermark: monday + hourMs + 1 }
    const { panes } = run([letter, { ...letter, reason: 'no-time' }, later], 'dead-letters')
    const pane = (start: number, reason: string) => ({
      kind: 'deadLetter',
      start,
      end: start + hourMs,
      counts: [{ feature: 'departures', segment: `ingest/${reason}`, model: '', cells: [1] }],
    })
    expect(panes).toEqual([
      pane(monday, 'contract'),
      pane(monday, 'no-time'),
      pane(monday + hourMs, 'contract'),
    ])
  })

  test('are sent at once: the next one may be weeks away', () => {
    const task = taskOf(paneBuilder(definition))
    task.take(letter, 'dead-letters', monday + 5)
    expect(task.emitted).toHaveLength(1)
    expect([task.state.size, task.wakes.size]).toEqual([0, 0])
    const late = { topic: 'departures', stage: 'ingest', reason: 'late', watermarkAt: monday }
    task.take(late, 'late', monday + 5)
    expect(task.emitted).toHaveLength(2)
  })

  test('met before any event time wait for it to begin', () => {
    const early = { ...letter, watermark: beforeTime }
    const task = taskOf(paneBuilder(definition))
    task.take(early, 'dead-letters')
    task.take(letter, 'dead-letters', monday + 5)
    task.end()
    const panes = task.emitted.map(({ value }) => value as unknown as Pane)
    expect(panes.map(({ start, counts }) => [start, counts[0]?.cells])).toEqual([
      [monday, [1]],
      [monday, [1]],
    ])
    expect(task.state.size).toBe(0)
  })

  test('in a stream without any event time belong to the time of the log', () => {
    const { panes } = run([{ ...letter, watermark: beforeTime }], 'dead-letters')
    expect(panes.map(({ start }) => start)).toEqual([7 * hourMs])
  })
})

test('a topic that is no source is a mistake of the definition', () => {
  expect(() => run(predictions, 'toString')).toThrow('no pane is defined for the topic toString')
  expect(() => paneBuilder({ paneMs: 0, sources })).toThrow('monitors.paneMs')
})
