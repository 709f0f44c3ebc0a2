import { describe, expect, it } from 'vitest'
import { beforeTime } from '../../services/domain/operator.ts'
import { createControlTable } from '../../services/runtime/control.ts'
import type { Intake } from '../../services/runtime/intake.ts'
import type { Fetcher } from '../../services/runtime/kafka/fetch.ts'
import { createQuietWriter, quietMark } from '../../services/runtime/quiet.ts'
import type { Stage, StageInput, TaskSpec } from '../../services/runtime/stage.ts'
import { newProgress } from '../../services/runtime/turns.ts'
import { unknownIncarnation } from '../../services/runtime/upstreams.ts'

const task: TaskSpec = { index: 1, topic: 't.in', partition: 1, writer: 'score/t.in/1', transactionalId: 'x' }

const stage: Stage = {
  id: 'score-v1',
  inputs: [],
  outputs: { out: { topic: 't.out', partitions: 2, schema: 'Prediction', by: 'own', journal: false } },
  tasks: [task],
  changelog: { topic: 't.changelog' },
  idleMs: 1_000,
  delayMs: 100,
  timekeepers: () => [],
  operator: () => ({ turn: () => ({ verdict: 'applied' }) }),
  read: async () => [],
}

/** A log whose partitions all end at offset 7. */
const reader = {
  endOffsets: async (places: { topic: string; partition: number }[]) =>
    new Map(places.map(({ topic, partition }) => [`${topic}/${partition}`, 7])),
} as unknown as Fetcher

describe('a writer of a public topic that has nothing to write', () => {
  const at = (watermark: number) => ({ ...newProgress(5), watermark })

  it('speaks after a second of silence, of what its records would carry', async () => {
    const quiet = createQuietWriter(stage, task, reader)!
    quiet.wrote(10_000)
    expect(quiet.due(at(1_000), 10_999)).toBe(false)
    expect(quiet.due(at(1_000), 11_000)).toBe(true)
    expect(await quiet.entry(at(1_000), 11_000)).toEqual({
      writer: 'score/t.in/1',
      topic: 't.in',
      watermark: 900,
      idle: true,
      ended: false,
      outputs: [{ topic: 't.out', partition: 1, offset: 7 }],
    })
  })

  it('says nothing twice, and nothing after its end', async () => {
    const quiet = createQuietWriter(stage, task, reader)!
    await quiet.entry(at(1_000), 11_000)
    expect(quiet.due(at(1_000), 99_000)).toBe(false)
    expect(quiet.due(at(1_001), 99_000)).toBe(true)
    expect(quiet.due({ ...at(1_001), ended: true }, 99_000)).toBe(false)
    expect(quiet.due(at(beforeTime), 99_000)).toBe(false)
  })

  it('is not needed where marks are written into the journal', () => {
    const journal = { ...stage.outputs['out']!, journal: true }
    expect(createQuietWriter({ ...stage, outputs: { journal } }, task, reader)).toBeUndefined()
  })
})

describe('a reader of a public topic', () => {
  const input: StageInput = {
    topic: 't.out',
    partitions: 2,
    source: false,
    writers: ['score/t.in/0', 'score/t.in/1'],
    own: true,
  }
  const reading: TaskSpec = { ...task, topic: 't.out', writer: 'carry/t.out/1' }
  const intakeAt = (position: number, waiting = 0) =>
    ({ waiting, hasReached: (end: number | undefined) => end !== undefined && position >= end }) as Intake
  const control = () => {
    const table = createControlTable(() => {})
    const outputs = [{ topic: 't.out', partition: 1, offset: 7 }]
    table.note({ writer: 'score/t.in/1', topic: 't.in', watermark: 900, idle: true, ended: false, outputs })
    return table
  }

  it('believes it once it has read all that came before, and stays where it is', () => {
    const progress = { ...newProgress(1), position: 7 }
    expect(quietMark(input, reading, control(), intakeAt(7), progress)).toEqual({
      kind: 'mark',
      place: { topic: 't.out', partition: 1, offset: 6, timestamp: 0 },
      origin: { writer: 'score/t.in/1', incarnation: unknownIncarnation, offset: -1, index: 0, time: 0 },
      watermark: 900,
      idle: false,
    })
  })

  it('does not while records are still before it, or wait for their turn', () => {
    expect(quietMark(input, reading, control(), intakeAt(6), newProgress(1))).toBeUndefined()
    expect(quietMark(input, reading, control(), intakeAt(7, 1), newProgress(1))).toBeUndefined()
  })

  it('does not when a record has said as much, or the writer has ended, or others write there too', () => {
    const heard = newProgress(1)
    heard.upstreams.set('score/t.in/1', { incarnation: 5, offset: 3, index: 9, watermark: 900, idle: false })
    expect(quietMark(input, reading, control(), intakeAt(7), heard)).toBeUndefined()
    const ended = control()
    ended.note({
      writer: 'score/t.in/1',
      topic: 't.in',
      watermark: 950,
      idle: true,
      ended: true,
      outputs: [],
    })
    expect(quietMark(input, reading, ended, intakeAt(7), newProgress(1))).toBeUndefined()
    expect(
      quietMark({ ...input, own: false }, reading, control(), intakeAt(7), newProgress(1)),
    ).toBeUndefined()
  })
})
