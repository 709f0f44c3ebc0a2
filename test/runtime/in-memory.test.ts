import { describe, expect, it } from 'vitest'
import type { Operator } from '../../services/domain/operator.ts'
import { type MemoryRecord, runInMemory } from '../../services/runtime/in-memory.ts'
import { partitionOf } from '../../services/runtime/kafka/partition.ts'
import type { Stage, StageOutput, TaskSpec } from '../../services/runtime/stage.ts'

/** Splits `key:n` into a record per key; its clock is n. */
const split: Operator<string> = {
  turn(_, text) {
    const [key = '', n = ''] = text.split(':')
    return {
      verdict: 'applied',
      emit: n === '' ? [{ to: 'raw', key, value: {} }] : [{ to: 'journal', key, value: { key } }],
      watermark: Number(n),
    }
  },
}

/** Counts per key; at the end of each key's ten milliseconds it says the sum. */
const counting: Operator<{ key: string }> = {
  turn(state, { key }, { watermark }) {
    const n = ((state.get(key) as number | undefined) ?? 0) + 1
    return {
      verdict: 'applied',
      put: [[key, n]],
      emit: [{ to: 'counts', key, value: { n } }],
      wake: [{ at: Math.floor(watermark / 10) * 10 + 10, key }],
    }
  },
  wake: (state, { key }) => ({
    verdict: 'applied',
    emit: [{ to: 'sums', key, value: { sum: state.get(key) } }],
    put: [[key, undefined]],
  }),
}

function stage(
  id: string,
  topic: string,
  operator: Operator<never>,
  partitions: number,
  more: Partial<Stage>,
): Stage {
  const tasks = Array.from({ length: partitions }, (_, partition): TaskSpec => {
    return { index: partition, topic, partition, writer: `${id}/${topic}/${partition}`, transactionalId: '' }
  })
  return {
    id,
    inputs: [{ topic, partitions, source: false, writers: [], own: false }],
    outputs: {},
    tasks,
    changelog: { topic: `${id}-changelog` },
    idleMs: 0,
    delayMs: 0,
    timekeepers: () => [],
    operator: () => operator as Operator<unknown>,
    read: async () => [],
    ...more,
  }
}

function output(topic: string, partitions: number, by: StageOutput['by'] = 'key'): StageOutput {
  return { topic, partitions, schema: 'Pane', by, journal: false }
}

function pipeline(partitions = 2) {
  const out: MemoryRecord[] = []
  const ingest = stage('split', 'in', split as Operator<never>, partitions, {
    outputs: { journal: output('journal', partitions), raw: output('raw', partitions, 'own') },
  })
  const count = stage('count', 'journal', counting as Operator<never>, partitions, {
    outputs: { counts: output('counts', partitions, 'own'), sums: output('sums', partitions) },
    timekeepers: () => 'latest',
  })
  const run = runInMemory([ingest, count], (record) => out.push(record))
  const push = (record: string, partition = 0) =>
    run.push('split', { topic: 'in', partition, record, timestamp: 0 })
  return { run, push, out }
}

describe('a run in memory', () => {
  it('follows each record to its end before the next', () => {
    const { push, out } = pipeline()
    push('x:1')
    expect(out.map(({ topic, value }) => [topic, value['n']])).toEqual([['counts', 1]])
    push('x:2', 1)
    expect(out.map(({ topic, value }) => [topic, value['n']])).toEqual([
      ['counts', 1],
      ['counts', 2],
    ])
  })

  it('puts records into the partition that the broker would have', () => {
    const { push, out } = pipeline()
    const keys = ['ATL', 'ORD', 'DFW', 'LAX', 'é']
    for (const key of keys) push(`${key}:1`)
    expect(out.map(({ partition }) => partition)).toEqual(keys.map((key) => partitionOf(Buffer.from(key), 2)))
    expect(new Set(out.map(({ partition }) => partition)).size).toBe(2)
  })

  it('leaves records of the own partition where they are, whatever their key', () => {
    const { push, out } = pipeline()
    for (const partition of [0, 1]) push('same', partition)
    expect(out.map(({ topic, partition }) => [topic, partition])).toEqual([
      ['raw', 0],
      ['raw', 1],
    ])
  })

  it('fires wakes on the way and the rest at the end, upstream first', () => {
    const { run, push, out } = pipeline()
    const sums = () => out.filter(({ topic }) => topic === 'sums').map(({ value }) => value['sum'])
    for (const record of ['x:1', 'x:5', 'x:11', 'x:12']) push(record)
    expect(sums()).toEqual([2])
    run.end()
    expect(sums()).toEqual([2, 2])
  })

  it('takes records as if an upstream had written them', () => {
    const { run, out } = pipeline()
    const origin = { writer: 'elsewhere/t/0', incarnation: 1, offset: 0, index: 1, time: 0 }
    run.inject({ topic: 'journal', partition: 0, key: 'x', value: { key: 'x', origin, watermark: 3 } })
    expect(out).toMatchObject([{ topic: 'counts', partition: 0, value: { n: 1, watermark: 3 } }])
  })

  it('keeps its state however many keys there are', () => {
    const { push, out } = pipeline(1)
    push('first:1')
    for (let n = 0; n < 51_000; n += 1) push(`k${n}:1`)
    push('first:1')
    expect(out.at(-1)).toMatchObject({ key: 'first', value: { n: 2 } })
  })

  it('names what does not fit together', () => {
    const { run } = pipeline()
    const record = { topic: 'elsewhere', partition: 0, record: 'x:1', timestamp: 0 }
    expect(() => run.push('split', record)).toThrow('split does not read elsewhere/0')
    const lost = runInMemory([stage('split', 'in', split as Operator<never>, 1, {})], () => {})
    expect(() => lost.push('split', { ...record, topic: 'in' })).toThrow('split has no output journal')
  })
})
