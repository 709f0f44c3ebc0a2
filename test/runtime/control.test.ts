import { describe, expect, it } from 'vitest'
import { beforeTime } from '../../services/domain/operator.ts'
import {
  type ControlEntry,
  controlKey,
  createAlignment,
  createControlTable,
  repeatMs,
} from '../../services/runtime/control.ts'

const entry = (writer: string, more: Partial<ControlEntry> = {}): ControlEntry => ({
  writer,
  topic: 'in',
  watermark: 0,
  idle: false,
  ended: false,
  outputs: [],
  ...more,
})

const ended = (writer: string, ...ends: [partition: number, offset: number][]): ControlEntry =>
  entry(writer, {
    ended: true,
    outputs: ends.map(([partition, offset]) => ({ topic: 'out', partition, offset })),
  })

function table(...entries: ControlEntry[]) {
  const control = createControlTable(() => {})
  for (const each of entries) control.note(each)
  return control
}

describe('the end of an input', () => {
  it('is unknown until all its writers have ended', () => {
    const control = table(ended('a', [0, 7]), entry('b'))
    expect(control.endOf('out', 0, ['a', 'b'])).toBeUndefined()
    expect(control.endOf('out', 0, ['a', 'c'])).toBeUndefined()
  })

  it('is where the last of its writers stood, partition by partition', () => {
    const control = table(ended('a', [0, 7], [1, 3]), ended('b', [0, 5], [1, 4]))
    expect(control.endOf('out', 0, ['a', 'b'])).toBe(7)
    expect(control.endOf('out', 1, ['a', 'b'])).toBe(4)
  })

  it('is its beginning when nobody has written there', () => {
    expect(table(ended('a', [0, 7])).endOf('out', 1, ['a'])).toBe(0)
    expect(table(ended('a', [0, 7])).endOf('other', 0, ['a'])).toBe(0)
  })

  it('moves when a writer speaks again', () => {
    const control = table(ended('a', [0, 7]))
    control.note(ended('a', [0, 9]))
    expect(control.endOf('out', 0, ['a'])).toBe(9)
    control.note(entry('a'))
    expect(control.endOf('out', 0, ['a'])).toBeUndefined()
  })

  it('of user topics is known topic by topic, though one writer speaks for all', () => {
    const of = (topic: string, offset: number) =>
      entry('source', { topic, ended: true, outputs: [{ topic, partition: 0, offset }] })
    const control = table(of('departures', 10), of('landings', 20))
    expect(control.endOf('departures', 0, ['source'])).toBe(10)
    expect(control.endOf('landings', 0, ['source'])).toBe(20)
    expect(control.endOf('others', 0, ['source'])).toBeUndefined()
  })
})

it('a note is told to everybody', () => {
  let told = 0
  const control = createControlTable(() => {
    told += 1
  })
  control.note(entry('a'))
  expect(told).toBe(1)
  expect([...control.entries()]).toEqual([entry('a')])
})

it('writers have one key each, and the user topics one per topic', () => {
  expect(controlKey('ingest/t/0', 't')).toBe('ingest/t/0')
  expect(controlKey('source', 't')).toBe('source/t')
})

describe('alignment', () => {
  const writers = ['a', 'b', 'c'].map((writer) => ({ writer, topic: 'in' }))

  function alignment(control = table()) {
    return createAlignment(writers, 60, control, () => {})
  }

  it('lets nobody run ahead of the slowest other by more than it allows', () => {
    const aligned = alignment()
    aligned.report('a', 1_000, false)
    aligned.report('b', 100, false)
    aligned.report('c', 500, false)
    expect(aligned.limit('a')).toBe(160)
    expect(aligned.limit('c')).toBe(160)
  })

  it('never holds the slowest back, so somebody always goes on', () => {
    const aligned = alignment()
    aligned.report('a', 1_000, false)
    aligned.report('b', 100, false)
    aligned.report('c', 500, false)
    expect(aligned.limit('b')).toBe(560)
  })

  it('holds everybody while one has not spoken', () => {
    const aligned = alignment()
    aligned.report('a', 0, false)
    aligned.report('b', 0, false)
    expect(aligned.limit('a')).toBe(beforeTime + 60)
  })

  it('does not wait for who has read everything', () => {
    const aligned = alignment()
    aligned.report('b', 100, true)
    aligned.report('c', 500, false)
    expect(aligned.limit('a')).toBe(560)
    aligned.report('c', 500, true)
    expect(aligned.limit('a')).toBe(Number.POSITIVE_INFINITY)
  })

  it('takes the word of other processes for what does not run here', () => {
    const aligned = alignment(table(entry('b', { watermark: 100 }), entry('c', { watermark: 500 })))
    expect(aligned.limit('a')).toBe(160)
  })

  it.each([{ idle: true }, { ended: true }])('does not wait for a task elsewhere that is %o', (state) => {
    const aligned = alignment(table(entry('b', { watermark: 100, ...state }), entry('c', { watermark: 500 })))
    expect(aligned.limit('a')).toBe(560)
  })

  it('does not believe that a task elsewhere is idle when it has long been silent, or spoke in another life', () => {
    let nowMs = 0
    const control = createControlTable(
      () => {},
      () => nowMs,
    )
    control.note(entry('b', { watermark: 100, idle: true }), true)
    control.note(entry('c', { watermark: 500, idle: true }))
    const aligned = alignment(control)
    expect(aligned.limit('a')).toBe(160)
    control.note(entry('b', { watermark: 100, idle: true }))
    expect(aligned.limit('a')).toBe(Number.POSITIVE_INFINITY)
    nowMs = 4 * repeatMs
    expect(aligned.limit('a')).toBe(160)
    control.note(entry('b', { watermark: 100, ended: true }), true)
    expect(aligned.limit('a')).toBe(560)
  })

  it('believes a task here more than what was once said of it', () => {
    const aligned = alignment(table(entry('b', { watermark: 100 }), entry('c', { watermark: 500 })))
    aligned.report('b', 400, false)
    expect(aligned.limit('a')).toBe(460)
    aligned.forget('b')
    expect(aligned.limit('a')).toBe(160)
  })

  it('knows whether other processes take part', () => {
    const aligned = alignment()
    for (const { writer } of writers) {
      expect(aligned.remote).toBe(true)
      aligned.report(writer, 0, false)
    }
    expect(aligned.remote).toBe(false)
    aligned.forget('a')
    expect(aligned.remote).toBe(true)
  })

  it('tells everybody when somebody has moved', () => {
    let told = 0
    const aligned = createAlignment(writers, 60, table(), () => {
      told += 1
    })
    aligned.report('a', 1, false)
    expect(told).toBe(1)
  })
})
