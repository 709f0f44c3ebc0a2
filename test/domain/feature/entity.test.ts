import { describe, expect, test } from 'vitest'
import type { Field, Stream, Value } from '../../../services/domain/event/contract.ts'
import type { AggregateFeature, AggregateName } from '../../../services/domain/feature/definition.ts'
import { entity } from '../../../services/domain/feature/entity.ts'
import type { JournalRecord } from '../../../services/domain/feature/records.ts'
import { startTask } from '../../driver/driver.ts'

type Line = Partial<JournalRecord> & { readonly time: number; readonly amount?: Value }

describe('a trailing window of 10 ms', () => {
  test('leaves out what is exactly 10 ms old', () => {
    expect(last('count', 'include', [{ time: 0 }, { time: 10 }])).toEqual([1, 'value'])
    expect(last('count', 'include', [{ time: 1 }, { time: 10 }])).toEqual([2, 'warming'])
  })

  test('counts the event itself when it is included, and not when it is excluded', () => {
    expect(last('count', 'include', [{ time: 1 }, { time: 1 }])).toEqual([2, 'warming'])
    expect(last('count', 'exclude', [{ time: 1 }, { time: 1 }])).toEqual([1, 'warming'])
  })

  test('does not see what came earlier but happened later', () => {
    expect(last('count', 'include', [{ time: 5 }, { time: 4 }])).toEqual([1, 'warming'])
  })

  test('takes events of the same time in the order of their arrival', () => {
    const lines = [{ time: 5, amount: 1 }, { time: 9, amount: 3 }, { time: 5, amount: 2 }, { time: 8 }]
    expect(last('last', 'exclude', lines)).toEqual([2, 'warming'])
  })

  test('keeps keys apart', () => {
    expect(last('count', 'include', [{ time: 1, key: 'b' }, { time: 1 }])).toEqual([1, 'warming'])
  })
})

describe('a status', () => {
  const early = { time: 0, key: 'z' }

  test('is warming until a window has passed since the first event of the task, whatever its key', () => {
    expect(last('count', 'include', [early, { time: 9 }])).toEqual([1, 'warming'])
    expect(last('count', 'include', [early, { time: 10 }])).toEqual([1, 'value'])
  })

  test('is missing for null, and default where a default replaces it', () => {
    expect(last('mean', 'include', [early, { time: 20 }])).toEqual([null, 'missing'])
    expect(last('mean', 'include', [early, { time: 20 }], 7)).toEqual([7, 'default'])
  })

  test('is stale for a late event, which reads and changes nothing', () => {
    const lines = [early, { time: 20, amount: 3 }, { time: 20, amount: 5, late: true }]
    expect(last('sum', 'include', lines)).toEqual([3, 'stale'])
    expect(last('sum', 'include', [...lines, { time: 21 }])).toEqual([3, 'value'])
  })

  test('is invalid when the result is no finite number', () => {
    const lines = [early, { time: 20, amount: 1.7e308 }, { time: 21, amount: 1.7e308 }]
    expect(last('sum', 'include', lines)).toEqual([null, 'invalid'])
  })

  test('is stale without a value when the windows of that time are gone', () => {
    expect(last('count', 'include', [early, { time: 100 }, { time: 78 }], null, 100)).toEqual([null, 'stale'])
    expect(last('count', 'include', [early, { time: 100 }, { time: 79 }], null, 100)).toEqual([1, 'value'])
  })
})

test('state follows the live window: old entries go as event time goes on', () => {
  const task = start('sum', 'include', null)
  for (let time = 0; time < 5_000; time++) {
    task.internal(entry({ time, key: `k${time % 7}`, amount: time }, time, time))
  }
  expect(task.keys().length).toBeLessThan(7 * 4)
  task.mark('up', 10_000)
  expect(task.keys()).toEqual(['first'])
})

test('an entry of a role that nothing uses is passed over', () => {
  const task = start('sum', 'include', null)
  expect(task.internal(entry({ time: 1, field: 'other' }, 1, 0))).toEqual([])
  expect(task.keys()).toEqual(['first'])
})

/** Value and status of the one feature for the last of the lines. */
function last(
  aggregate: AggregateName,
  self: 'include' | 'exclude',
  lines: readonly Line[],
  otherwise: Value = null,
  watermark = 0,
): unknown[] {
  const task = start(aggregate, self, otherwise)
  const written = lines.flatMap((line, index) =>
    task.internal(entry(line, index, index === 0 ? 0 : watermark)),
  )
  const part = written.at(-1)?.value as { values: Record<string, Value>; statuses: Record<string, string> }
  return [part.values['f'], part.statuses['f']]
}

/** Windows of 10 ms, lateness 8 and alignment 5: the slack is 21. */
function start(aggregate: AggregateName, self: 'include' | 'exclude', otherwise: Value) {
  const field: Field = { type: 'string', nullable: true, breach: 'null' }
  const fields = { id: field, at: field, card: { ...field, entity: 'card' }, amount: field }
  const times = { latenessMs: 8, maxAheadMs: 1_000, dedupeMs: 1_000, idleMs: 1_000 }
  const stream: Stream = { topic: 'payments', partitions: 1, id: 'id', time: 'at', ...times, fields }
  const feature: AggregateFeature = {
    ...{ kind: 'aggregate', type: 'number', default: otherwise, owner: '', version: 1, description: '' },
    at: 'card',
    quantity: {
      ...{ aggregate, self, stream: 'payments', by: 'card', entity: 'card' },
      of: aggregate === 'count' ? null : { op: 'field', name: 'amount' },
      window: { kind: 'trailing', sizeMs: 10 },
    },
  }
  const definition = { entity: 'card', scored: 'payments', alignmentMs: 5, streams: { payments: stream } }
  return startTask({
    writer: 'entity',
    upstreams: ['up'],
    operator: entity({ ...definition, features: { f: feature } }),
  })
}

function entry({ amount = null, ...line }: Line, index: number, watermark: number) {
  const origin = { writer: 'up', incarnation: 1, offset: index, index: index + 1, time: 0 }
  const record = {
    stream: 'payments',
    field: 'card',
    key: 'a',
    id: `e${index}`,
    late: false,
    values: { amount },
  }
  return { ...record, ...line, origin, watermark }
}
