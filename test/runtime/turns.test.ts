import { describe, expect, it } from 'vitest'
import { beforeTime, endOfTime } from '../../services/domain/operator.ts'
import { tidemarkError } from '../../services/runtime/errors.ts'
import { memoryStore } from '../../services/runtime/store/memory.ts'
import { wakeKey } from '../../services/runtime/wakes.ts'
import { origin, type Script, scripted, turnsOf, writer } from './scripted.ts'

describe('positions', () => {
  it('a record seen before is dropped: it moves the position and nothing else', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.record('a', 4, 10, { name: 'first' })
    expect(turns.input.record('a', 4, 99, { name: 'again' })).toBe('seen')
    expect(turns.input.record('a', 3, 99, { name: 'older' })).toBe('seen')
    expect(calls).toEqual(['first@10'])
    expect(turns.progress).toMatchObject({ position: 3, watermark: 10, counts: { in: 1, applied: 1 } })
  })

  it('each writer has its own order', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.record('a', 5, 1, { name: 'a5' })
    turns.input.record('b', 1, 1, { name: 'b1' })
    expect(calls).toEqual(['a5@1', 'b1@1'])
  })

  it('indexes may have gaps: a writer writes to other partitions too', () => {
    const turns = turnsOf(scripted().operator)
    turns.input.record('a', 1, 1, { name: 'a1' })
    expect(turns.input.record('a', 900, 1, { name: 'a900' })).toBe('applied')
  })

  it('a mark leaves the last record that was seen where it was', () => {
    const turns = turnsOf(scripted().operator)
    turns.input.record('a', 5, 1, { name: 'a5' })
    turns.input.mark('a', 2)
    expect(turns.input.record('a', 5, 2, { name: 'again' })).toBe('seen')
    expect(turns.input.record('a', 6, 2, { name: 'a6' })).toBe('applied')
  })

  it.each(['record', 'mark'] as const)('a %s of a new incarnation of an upstream is a coded stop', (kind) => {
    const turns = turnsOf(scripted().operator)
    turns.input.record('a', 5, 1, { name: 'a5' })
    const reset = () =>
      kind === 'record'
        ? turns.input.record('a', 9, 1, { name: 'a9' }, 2)
        : turns.input.mark('a', 1, { incarnation: 2 })
    expect(reset).toThrow(expect.objectContaining({ code: 'TM_UPSTREAM_RESET' }))
  })
})

describe('the watermark', () => {
  it('waits until every timekeeper has spoken, then is their minimum', () => {
    const turns = turnsOf(scripted().operator, { timekeepers: ['a', 'b'] })
    turns.input.mark('a', 50)
    expect(turns.progress.watermark).toBe(beforeTime)
    turns.input.mark('b', 20)
    expect(turns.progress.watermark).toBe(20)
    turns.input.mark('b', 90)
    expect(turns.progress.watermark).toBe(50)
  })

  it('never goes back', () => {
    const turns = turnsOf(scripted().operator, { timekeepers: ['a', 'b'] })
    turns.input.mark('a', 50, { idle: true })
    turns.input.mark('b', 70)
    turns.input.mark('a', 60)
    turns.input.mark('a', 10)
    expect(turns.progress.watermark).toBe(70)
  })

  it('leaves out who is idle, until it speaks again', () => {
    const turns = turnsOf(scripted().operator, { timekeepers: ['a', 'b'] })
    turns.input.mark('a', 10, { idle: true })
    turns.input.mark('b', 30)
    expect(turns.progress.watermark).toBe(30)
    turns.input.record('a', 1, 35, { name: 'a1' })
    turns.input.mark('b', 80)
    expect(turns.progress.watermark).toBe(35)
  })

  it('stands still while all are idle', () => {
    const turns = turnsOf(scripted().operator)
    turns.input.mark('a', 10)
    turns.input.mark('a', 90, { idle: true })
    expect(turns.progress.watermark).toBe(10)
  })

  it('does not listen to writers who keep no time', () => {
    const turns = turnsOf(scripted().operator, { timekeepers: ['a'] })
    turns.input.mark('stranger', 90)
    turns.input.mark('a', 10)
    expect(turns.progress.watermark).toBe(10)
  })

  it('is the latest of any record when nobody in particular keeps the time', () => {
    const turns = turnsOf(scripted().operator, { timekeepers: 'latest' })
    turns.input.record('x', 1, 10, { name: 'x1' })
    turns.input.record('y', 1, 5, { name: 'y1' })
    expect(turns.progress.watermark).toBe(10)
  })

  it('of a user topic is what its operator says, after the turn', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.source({ name: 's1', watermark: 40 })
    turns.input.source({ name: 's2', watermark: 30 })
    expect(calls).toEqual([`s1@${beforeTime}`, 's2@40'])
    expect(turns.progress.watermark).toBe(40)
  })
})

describe('wakes', () => {
  const wake = (...wakes: [at: number, key: string][]): Script => ({
    name: 'sets',
    wake: wakes.map(([at, key]) => ({ at, key })),
  })

  it('fire in the order of time and key, before the record that brings the watermark', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.record('a', 1, 0, wake([30, 'x'], [10, 'z'], [10, 'y'], [31, 'w']))
    turns.input.record('a', 2, 30, { name: 'next' })
    expect(calls).toEqual(['sets@0', '!y 10@30', '!z 10@30', '!x 30@30', 'next@30'])
  })

  it('of a user topic fire after the record that moves the clock', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.source({ ...wake([10, 'x']), watermark: 5 })
    turns.input.source({ name: 'next', watermark: 10 })
    expect(calls).toEqual([`sets@${beforeTime}`, 'next@5', '!x 10@10'])
  })

  it('set by a wake fire in the same advance when they are due too', () => {
    const { operator, calls } = scripted(({ at, key }) =>
      at < 30 ? wake([at + 10, key]) : { name: 'enough' },
    )
    const turns = turnsOf(operator)
    turns.input.record('a', 1, 0, wake([10, 'x']))
    turns.input.mark('a', 25)
    expect(calls.slice(1)).toEqual(['!x 10@25', '!x 20@25'])
    turns.input.mark('a', 30)
    expect(calls.slice(3)).toEqual(['!x 30@30'])
  })

  it('set twice fire once', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.record('a', 1, 0, wake([10, 'x']))
    turns.input.record('a', 2, 0, wake([10, 'x'], [10, 'x']))
    turns.input.mark('a', 10)
    expect(calls.filter((call) => call.startsWith('!'))).toEqual(['!x 10@10'])
  })

  it('of a time that has passed fire with the next record, whether time moves or not', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.record('a', 1, 50, wake([10, 'x']))
    turns.input.record('a', 2, 50, { name: 'next' })
    expect(calls).toEqual(['sets@50', '!x 10@50', 'next@50'])
  })

  it('are kept in the state until they have fired', () => {
    const turns = turnsOf(scripted().operator)
    turns.input.record('a', 1, 0, wake([10, 'x']))
    expect([...turns.freeze().changes]).toEqual([[wakeKey({ at: 10, key: 'x' }), true]])
    turns.input.mark('a', 10)
    expect([...turns.freeze().changes]).toEqual([[wakeKey({ at: 10, key: 'x' }), undefined]])
  })

  it('all fire at the end, though time stood there already', () => {
    const { operator, calls } = scripted()
    const turns = turnsOf(operator)
    turns.input.mark('a', endOfTime)
    turns.input.record('b', 1, 0, wake([10, 'x'], [endOfTime, 'y']))
    turns.end()
    expect(calls.slice(1)).toEqual([`!x 10@${endOfTime}`, `!y ${endOfTime}@${endOfTime}`])
    expect(turns.progress).toMatchObject({ ended: true, watermark: endOfTime })
  })
})

it('an upstream that repeats a mark from before its last record is not idle again', () => {
  const turns = turnsOf(scripted().operator)
  turns.input.mark('a', 1, { idle: true })
  turns.input.record('a', 1, 5, { name: 'back' })
  const idle = { kind: 'mark', watermark: 1, idle: true, origin: origin('a', 0) } as const
  const place = { topic: 'journal', partition: 0, offset: 2, timestamp: 0 }
  expect(turns.apply({ ...idle, place })).toBe('seen')
  expect(turns.progress.upstreams.get('a')).toMatchObject({ idle: false, index: 1 })
})

describe('what is written', () => {
  const emits: Script = { name: 'emits', emit: [{ to: 'out', key: 'k', value: { n: 1 } }] }

  it('says who wrote it, why, and how far event time is', () => {
    const { operator } = scripted(() => emits)
    const turns = turnsOf(operator, { delayMs: 3 })
    turns.input.record('a', 1, 20, { ...emits, wake: [{ at: 25, key: 'x' }] })
    turns.input.mark('a', 90)
    const stamp = { writer, incarnation: 7 }
    expect(turns.freeze().outgoing).toEqual([
      {
        output: 'out',
        key: 'k',
        value: { n: 1, watermark: 17, origin: { ...stamp, offset: 0, index: 1, time: 0 } },
      },
      {
        output: 'out',
        key: 'k',
        value: { n: 1, watermark: 22, origin: { ...stamp, offset: -1, index: 2, time: 25 } },
      },
    ])
  })

  it('before any event carries no earlier watermark than that', () => {
    const turns = turnsOf(scripted().operator, { delayMs: 3 })
    turns.input.source(emits)
    expect(turns.freeze().outgoing[0]?.value).toMatchObject({ watermark: beforeTime })
  })

  it('is handed over once, and the next generation begins', () => {
    const turns = turnsOf(scripted().operator)
    expect(turns.dirty).toBe(false)
    turns.input.record('a', 1, 1, { ...emits, put: [['k', 1]] })
    expect([turns.dirty, turns.pending]).toEqual([true, 1])
    turns.freeze()
    expect([turns.dirty, turns.pending]).toEqual([false, 0])
    expect(turns.freeze()).toMatchObject({ outgoing: [], changes: new Map() })
  })

  it('a position alone is something to write', () => {
    const turns = turnsOf(scripted().operator)
    turns.input.mark('a', 1)
    expect([turns.dirty, turns.pending]).toEqual([true, 0])
  })

  it('every verdict is counted where it belongs', () => {
    const turns = turnsOf(scripted().operator)
    const verdicts = ['applied', 'late', 'duplicate', 'dead-letter', 'late'] as const
    for (const verdict of verdicts) turns.input.source({ name: verdict, verdict })
    expect(turns.progress.counts).toEqual({ in: 5, applied: 1, late: 2, duplicate: 1, deadLettered: 1 })
  })
})

describe('a turn that fails', () => {
  it('is told with its place and keeps the code of its error', () => {
    const fail = tidemarkError('TM_FEATURE_SET', 'bound to another')
    const turns = turnsOf(scripted().operator)
    turns.input.mark('a', 1)
    expect(() => turns.input.record('a', 1, 1, { name: 'bad', fail })).toThrow(
      expect.objectContaining({
        code: 'TM_FEATURE_SET',
        cause: fail,
        message: expect.stringContaining(`${writer} at offset 1`),
      }),
    )
  })

  it.each([new TypeError('x is undefined'), 'a text'])(
    'is a defect of the operator when it is %s',
    (fail) => {
      const turns = turnsOf(scripted().operator)
      expect(() => turns.input.source({ name: 'bad', fail })).toThrow(
        expect.objectContaining({ code: 'TM_OPERATOR', cause: fail }),
      )
    },
  )

  it.each(['record', 'wake'])('writes nothing, and nothing that came with it: a %s', (kind) => {
    const { operator } = scripted(() => ({ name: 'bad', fail: new Error('no') }))
    const turns = turnsOf(operator)
    const good: Script = { name: 'good', put: [['k', 1]], wake: [{ at: 10, key: 'x' }] }
    turns.input.record('a', 1, 1, good)
    expect(() =>
      kind === 'wake'
        ? turns.input.mark('a', 10)
        : turns.input.record('a', 2, 1, { name: 'bad', fail: new Error('no') }),
    ).toThrow('no')
    expect(() => turns.freeze()).toThrow('no')
    expect(() => turns.input.record('a', 3, 1, { name: 'next' })).toThrow('no')
  })
})

it('state is read from the store once and from memory after that', async () => {
  const store = memoryStore()
  await store.apply([['k', Buffer.from('41')]])
  let reads = 0
  const counting = {
    ...store,
    get: (key: string) => {
      reads += 1
      return store.get(key)
    },
  }
  const seen: unknown[] = []
  const turns = turnsOf<string>(
    {
      turn: (state, key) => {
        seen.push(state.get(key), state.get(key))
        return { verdict: 'applied', put: [[key, 42]] }
      },
    },
    { store: counting },
  )
  for (const key of ['k', 'k', 'absent', 'absent']) turns.input.source(key)
  expect(seen).toEqual([41, 41, 42, 42, undefined, undefined, 42, 42])
  expect(reads).toBe(2)
})
