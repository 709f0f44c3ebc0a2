import { describe, expect, it } from 'vitest'
import type { Operator } from '../../services/domain/operator.ts'
import { type MemoryRun, openMemoryRun } from '../../services/runtime/in-memory.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import { partitionOf } from '../../services/runtime/kafka/partition.ts'
import type { Stage, StageOutput, TaskSpec } from '../../services/runtime/stage.ts'
import type { Input, Origin } from '../../services/runtime/turns.ts'
import type { Wire } from '../../services/runtime/wire.ts'

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

const plainWire: Wire = {
  encode: (_, value) => Buffer.from(JSON.stringify(value)),
  prepare: async () => {},
  decode: (_, bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
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
    inputs: [{ topic, partitions, source: true, writers: ['source'], own: false }],
    outputs: {},
    tasks,
    changelog: { topic: `${id}-changelog` },
    idleMs: 0,
    delayMs: 0,
    timekeepers: () => [],
    operator: () => operator as Operator<unknown>,
    read: async (records) => records.map(readText),
    ...more,
  }
}

function readText({ value, ...place }: FetchedRecord): Input<unknown> {
  return { kind: 'source', record: value!.toString(), place }
}

function readJournal({ value, ...place }: FetchedRecord): Input<unknown> {
  const record = JSON.parse(value!.toString()) as { origin: Origin; watermark: number }
  return { kind: 'internal', record, place, origin: record.origin, watermark: record.watermark }
}

function output(topic: string, partitions: number, by: StageOutput['by'] = 'key'): StageOutput {
  return { topic, partitions, schema: 'Pane', by, journal: false }
}

async function pipeline(partitions = 2, commitEvery = 1) {
  const stages = [
    stage('split', 'in', split as Operator<never>, partitions, {
      outputs: { journal: output('journal', partitions), raw: output('raw', partitions, 'own') },
    }),
    stage('count', 'journal', counting as Operator<never>, partitions, {
      outputs: { counts: output('counts', partitions, 'own'), sums: output('sums', partitions) },
      inputs: [{ topic: 'journal', partitions, source: false, writers: ['split/in/0'], own: false }],
      timekeepers: () => 'latest',
      read: async (records) => records.map(readJournal),
    }),
  ]
  const names = { topologyHash: 'hash', controlTopic: 'control' }
  const run = await openMemoryRun({ stages, wire: plainWire, commitEvery, ...names })
  const push = (partition: number, ...texts: string[]) =>
    run.append(
      'in',
      partition,
      texts.map((text) => ({ key: null, value: Buffer.from(text) })),
      0,
    )
  return { run, push }
}

function valuesOf({ log }: MemoryRun, topic: string): { partition: number; n?: number; sum?: number }[] {
  return [0, 1]
    .flatMap((partition) => log.read({ topic, partition }, 0, Number.POSITIVE_INFINITY))
    .sort((left, right) => left.sequence - right.sequence)
    .map(({ partition, value }) => ({ partition, ...(JSON.parse(value!.toString()) as object) }))
}

describe('a run in memory', () => {
  it('follows each record to its end', async () => {
    const { run, push } = await pipeline()
    await push(0, 'x:1')
    expect(valuesOf(run, 'counts').map(({ n }) => n)).toEqual([1])
    await push(1, 'x:2')
    expect(valuesOf(run, 'counts').map(({ n }) => n)).toEqual([1, 2])
  })

  it('puts records into the partition that the broker would have', async () => {
    const { run, push } = await pipeline()
    const keys = ['ATL', 'ORD', 'DFW', 'LAX', 'é']
    for (const key of keys) await push(0, `${key}:1`)
    const chosen = keys.map((key) => partitionOf(Buffer.from(key), 2))
    expect(valuesOf(run, 'counts').map(({ partition }) => partition)).toEqual(chosen)
    expect(new Set(chosen).size).toBe(2)
  })

  it('leaves records of the own partition where they are, whatever their key', async () => {
    const { run, push } = await pipeline()
    for (const partition of [0, 1]) await push(partition, 'same')
    expect(valuesOf(run, 'raw').map(({ partition }) => partition)).toEqual([0, 1])
  })

  it.each([1, 3, Number.POSITIVE_INFINITY])(
    'fires wakes on the way and the rest at the end, committing every %d',
    async (every) => {
      const { run, push } = await pipeline(1, every)
      const sums = () => valuesOf(run, 'sums').map(({ sum }) => sum)
      await push(0, 'x:1', 'x:5', 'x:11', 'x:12')
      expect(sums()).toEqual([2])
      await run.restart()
      await run.finish()
      expect(sums()).toEqual([2, 2])
    },
  )

  it('goes on from its changelog as if nothing had been, and reads again what was not committed', async () => {
    const { run, push } = await pipeline(1, 3)
    await push(0, 'x:1', 'x:2')
    await run.restart()
    await push(0, 'x:3')
    expect(valuesOf(run, 'counts').map(({ n }) => n)).toEqual([1, 2, 3])
    expect(run.tasks.map(({ progress }) => progress.counts.in)).toEqual([3, 3])
  })

  it('holds no records that it was told to forget, and goes on', async () => {
    const { run, push } = await pipeline(1)
    await push(0, 'x:1')
    run.log.clear()
    await push(0, 'x:2')
    expect(valuesOf(run, 'counts').map(({ n }) => n)).toEqual([2])
    expect(run.log.end({ topic: 'counts', partition: 0 })).toBe(2)
  })
})
