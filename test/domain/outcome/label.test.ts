import { describe, expect, it } from 'vitest'
import type { SourceRecord } from '../../../services/domain/event/accept.ts'
import type { Stream } from '../../../services/domain/event/contract.ts'
import type { Emission } from '../../../services/domain/operator.ts'
import { carryOperator } from '../../../services/domain/outcome/carry.ts'
import { labelOperator } from '../../../services/domain/outcome/label.ts'
import { newTask, step } from './replay.ts'

const stream: Stream = {
  topic: 'landings',
  partitions: 1,
  id: 'landing',
  time: 'landed',
  latenessMs: 0,
  maxAheadMs: 1000,
  dedupeMs: 5000,
  idleMs: 60_000,
  fields: {
    landing: { type: 'string', nullable: false, breach: 'reject' },
    landed: { type: 'timestamp', nullable: false, breach: 'reject' },
    flight: { type: 'integer', nullable: true, breach: 'null' },
    delay: { type: 'number', nullable: true, breach: 'null' },
  },
}
const operator = labelOperator({
  stream,
  id: 'flight',
  value: ({ delay }) => (typeof delay === 'number' ? delay > 15 : null),
})

function read(task: ReturnType<typeof newTask>, watermark: number, value: unknown): Emission[] {
  const record: SourceRecord = { key: null, value: null, decoded: { ok: true, value } }
  const before = task.emitted.length
  step(
    { ...operator, turn: (state, came, place) => operator.turn(state, came, { ...place, timestamp: 1e6 }) },
    task,
    record,
    watermark,
  )
  return task.emitted.slice(before)
}

describe('the label stage', () => {
  it('writes a label under the id of the scored event, which need not be the id of its own record', () => {
    const [entry] = read(newTask(), 0, { landing: 'L1', landed: 2000, flight: 7, delay: 20 })
    expect(entry).toMatchObject({
      to: 'journal',
      key: '7',
      value: {
        kind: 'label',
        id: '7',
        time: 2000,
        label: true,
        source: 'landings',
        predictionId: '',
        segments: {},
      },
    })
  })

  it('keeps a late label', () => {
    const task = newTask()
    expect(read(task, 5000, { landing: 'L1', landed: 2000, flight: 7, delay: 20 })).toHaveLength(1)
    expect(task.verdicts).toEqual(['applied'])
  })

  it('drops the same label as a duplicate, and lets a correction through', () => {
    const task = newTask()
    read(task, 0, { landing: 'L1', landed: 2000, flight: 7, delay: 20 })
    expect(read(task, 0, { landing: 'L1', landed: 2000, flight: 7, delay: 21 })).toHaveLength(0)
    expect(read(task, 0, { landing: 'L1', landed: 2000, flight: 7, delay: 10 })).toHaveLength(1)
    expect(task.verdicts).toEqual(['applied', 'duplicate', 'applied'])
  })

  it('counts a record without a label, and writes none', () => {
    const task = newTask()
    expect(read(task, 0, { landing: 'L1', landed: 2000, flight: 7, delay: null })).toEqual([])
    expect(task.verdicts).toEqual(['applied'])
  })

  it('dead-letters a label that names no event', () => {
    const task = newTask()
    const [letter] = read(task, 0, { landing: 'L1', landed: 2000, flight: null, delay: 20 })
    expect(letter).toMatchObject({
      to: 'deadLetters',
      value: { stage: 'label', reason: 'no-id', detail: 'flight is missing' },
    })
    expect(task.verdicts).toEqual(['dead-letter'])
  })
})

describe('the carry stage', () => {
  it('takes from a prediction what its outcome needs', () => {
    const prediction = {
      predictionId: 't/m/1/a',
      id: 'a',
      time: 1000,
      model: 'm',
      modelVersion: 1,
      score: 0.25,
      decision: false,
      cells: { distance: 3, __score__: 40 },
      segments: { hub: 'ATL' },
    }
    const place = { topic: 'predictions', partition: 0, offset: 1, timestamp: 0, watermark: 0 }
    const turn = carryOperator().turn({ get: () => undefined }, prediction, place)
    const { cells: _, ...kept } = prediction
    expect(turn).toEqual({
      verdict: 'applied',
      emit: [
        {
          to: 'journal',
          key: 'a',
          value: { ...kept, kind: 'prediction', scoreCell: 40, label: null, source: '' },
        },
      ],
    })
  })
})
