import type { Data } from '../domain/operator.ts'
import { partitionOf } from './kafka/partition.ts'
import type { Stage, TaskSpec } from './stage.ts'
import { memoryStore } from './store/memory.ts'
import type { Store } from './store/store.ts'
import { createTurns, type Input, newProgress, type Origin, type Outgoing, type Turns } from './turns.ts'

/** A record on its way into an in-memory run, already decoded. */
export interface MemorySource {
  readonly topic: string
  readonly partition: number
  readonly record: unknown
  readonly timestamp: number
}

/** A record that left a stage. */
export interface MemoryRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly value: Record<string, unknown>
}

interface MemoryTask {
  readonly stage: Stage
  readonly spec: TaskSpec
  readonly turns: Turns<unknown>
  readonly store: Store
  offset: number
}

/**
 * Runs stages without a broker: the same turns over memory stores, one record at a time, each followed to its end
 * before the next. The order is that of the sources, so a run is a function of them. Every record that goes to a
 * topic which no stage reads is handed to `onOutput`; at the end all inputs end, upstream first.
 */
export interface MemoryRun {
  /** Hands a record of a user's topic to one of the stages that read it. */
  push(stageId: string, source: MemorySource): void
  /** Hands a record to whoever reads a topic, as if an upstream of that name had written it. */
  inject(record: MemoryRecord): void
  end(): void
}

export function runInMemory(stages: readonly Stage[], onOutput: (record: MemoryRecord) => void): MemoryRun {
  const tasks = stages.flatMap((stage) => stage.tasks.map((spec) => openTask(stage, spec)))
  const readers = new Map(tasks.map((task) => [`${task.spec.topic}/${task.spec.partition}`, task]))

  const sources = new Map(
    tasks.map((task) => [`${task.stage.id}/${task.spec.topic}/${task.spec.partition}`, task]),
  )

  function apply(
    task: MemoryTask,
    input: (place: { topic: string; partition: number; offset: number }) => Input<unknown>,
  ): void {
    const { topic, partition } = task.spec
    task.turns.apply(input({ topic, partition, offset: task.offset }))
    task.offset += 1
    flush(task)
  }

  function flush(task: MemoryTask): void {
    const { outgoing, changes } = task.turns.freeze()
    // Through the same bytes as on the broker; a memory store applies before it returns.
    void task.store.apply([...changes].map(([key, value]) => [key, encoded(value)] as const))
    for (const each of outgoing) deliver(task, each)
  }

  function deliver(task: MemoryTask, { output: name, key, value }: Outgoing): void {
    const output = task.stage.outputs[name]
    if (output === undefined) throw new Error(`${task.stage.id} has no output ${name}`)
    const own = output.by === 'own'
    const partition = own ? task.spec.partition : partitionOf(Buffer.from(key), output.partitions)
    inject({ topic: output.topic, partition, key, value })
  }

  function inject(record: MemoryRecord): void {
    const reader = readers.get(`${record.topic}/${record.partition}`)
    if (reader === undefined) {
      onOutput(record)
      return
    }
    const { origin, watermark } = record.value as unknown as { origin: Origin; watermark: number }
    apply(reader, (place) => {
      const at = { ...place, timestamp: watermark }
      return { kind: 'internal', record: record.value, place: at, origin, watermark }
    })
  }

  return {
    push(stageId, { topic, partition, record, timestamp }) {
      const task = sources.get(`${stageId}/${topic}/${partition}`)
      if (task === undefined) throw new Error(`${stageId} does not read ${topic}/${partition}`)
      apply(task, (place) => ({ kind: 'source', record, place: { ...place, timestamp } }))
    },
    inject,
    end() {
      for (const task of tasks) {
        task.turns.end()
        flush(task)
      }
    },
  }
}

function encoded(value: Data | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(JSON.stringify(value))
}

function openTask(stage: Stage, spec: TaskSpec): MemoryTask {
  const input = stage.inputs.find(({ topic }) => topic === spec.topic)!
  const store = memoryStore()
  const turns = createTurns({
    writer: spec.writer,
    operator: stage.operator(spec.topic),
    store,
    progress: newProgress(0),
    wakeKeys: [],
    timekeepers: stage.timekeepers(input, spec.partition),
    delayMs: stage.delayMs,
  })
  return { stage, spec, turns, store, offset: 0 }
}
