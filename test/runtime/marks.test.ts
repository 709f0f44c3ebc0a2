import { describe, expect, it } from 'vitest'
import { beforeTime, endOfTime } from '../../services/domain/operator.ts'
import { createMarks } from '../../services/runtime/marks.ts'
import type { Stage } from '../../services/runtime/stage.ts'
import { newProgress, type Progress } from '../../services/runtime/turns.ts'

const stage = {
  delayMs: 10,
  outputs: {
    journal: { topic: 'journal', partitions: 2, schema: 'JournalEntry', by: 'key', journal: true },
    late: { topic: 'late', partitions: 1, schema: 'LateRecord', by: 'key', journal: false },
  },
} as unknown as Stage

const at = (watermark: number, more: Partial<Progress> = {}): Progress => ({
  ...newProgress(7),
  index: 5,
  watermark,
  ...more,
})

/** Long after the start: a first mark is never too soon. */
const now = 1_000_000

function marks() {
  return createMarks(stage, 'ingest/t/0')
}

it('tell every partition of every journal, and nothing else, how far the writer is', () => {
  const origin = { writer: 'ingest/t/0', incarnation: 7, offset: -1, index: 5, time: 0 }
  const value = { kind: 'mark', watermark: 90, origin }
  expect(marks().due(at(100), false, now)).toEqual(
    [0, 1].map((partition) => ({ topic: 'journal', partition, schema: 'JournalEntry', value })),
  )
})

it('are not repeated while time stands still', () => {
  const told = marks()
  told.due(at(100), false, now)
  expect(told.pending(at(100), false)).toBe(false)
  expect(told.due(at(100), false, now + 60_000)).toEqual([])
})

it('wait a while after the last ones, and are not forgotten', () => {
  const told = marks()
  told.due(at(100), false, now)
  expect(told.due(at(101), false, now + 299)).toEqual([])
  expect(told.pending(at(101), false)).toBe(true)
  expect(told.due(at(102), false, now + 300)).toHaveLength(2)
})

it('of a quiet input go out at once, and again when it is not quiet any more', () => {
  const told = marks()
  told.due(at(100), false, now)
  expect(kinds(told.due(at(100), true, now + 1))).toEqual(['idle', 'idle'])
  expect(told.pending(at(100), true)).toBe(false)
  expect(kinds(told.due(at(100), false, now + 2))).toEqual(['mark', 'mark'])
})

it('have nothing to say before any event', () => {
  expect(marks().pending(at(beforeTime), false)).toBe(false)
  expect(marks().due(at(beforeTime), false, now)).toEqual([])
})

describe('of a writer that has ended', () => {
  const ended = at(endOfTime, { ended: true })

  it('hold nobody back, and take nobody to the end of time', () => {
    const told = marks()
    told.due(at(100), false, now)
    const last = told.due(ended, false, now + 1)
    expect(kinds(last)).toEqual(['idle', 'idle'])
    expect(last.map(({ value }) => value['watermark'])).toEqual([90, 90])
    expect(told.pending(ended, false)).toBe(false)
  })

  it('are the same after a restart', () => {
    const [first] = marks().due(ended, false, now)
    expect(first?.value).toMatchObject({ kind: 'idle', watermark: beforeTime })
  })
})

function kinds(marks: readonly { readonly value: Record<string, unknown> }[]): unknown[] {
  return marks.map(({ value }) => value['kind'])
}
