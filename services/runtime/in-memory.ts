import { endOfTime } from '../domain/operator.ts'
import { type ControlEntry, createControlTable } from './control.ts'
import { createMemoryLog, type MemoryLog } from './in-memory-log.ts'
import { type MemoryTask, type MemoryWorld, openMemoryTask } from './in-memory-task.ts'
import type { OutRecord } from './kafka/writer.ts'
import { inputOf, type Stage, type TaskSpec } from './stage.ts'
import { memoryStore } from './store/memory.ts'
import type { Store } from './store/store.ts'
import type { Wire } from './wire.ts'

export interface MemoryRunOptions {
  readonly wire: Wire
  readonly topologyHash: string
  readonly controlTopic: string
  /** In the order in which records flow. */
  readonly stages: readonly Stage[]
  /** Inputs per commit of a task. Default: one. */
  readonly commitEvery?: number
  /** Default: in memory. */
  openStore?(stage: Stage, task: TaskSpec): Promise<Store>
}

/**
 * Runs stages without a broker: topics are arrays, and tasks take their turns, commit and restore as in a service,
 * one after another, upstream first. Nothing is left to chance or to the machine's clock: a run is a function of its
 * calls.
 */
export interface MemoryRun {
  readonly log: MemoryLog
  readonly tasks: readonly MemoryTask[]
  readonly nowMs: number
  /** Appends to a topic at a time, to which the clock is set if it is behind; everybody reads on. */
  append(topic: string, partition: number, records: readonly OutRecord[], atMs: number): Promise<void>
  /** Time passes: tasks tell how far they are, and sources that nothing comes from turn quiet. */
  advance(ms: number): Promise<void>
  /** A partition of a user's topic is quiet from now on, until a record comes. */
  hush(topic: string, partition: number): Promise<void>
  /** Everything of these topics has come; who reads them ends, and so do their readers. */
  endOf(topics: readonly { readonly topic: string; readonly partitions: number }[]): Promise<void>
  /** All tasks end, upstream first, whoever else may write to what they read. */
  finish(): Promise<void>
  /** All tasks commit what nobody waits for. */
  save(): Promise<void>
  /** All tasks forget everything and begin again from their changelogs. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** How long public topics may be silent before their writers speak: time passes in steps of that. */
const stepMs = 1_000

interface Clock {
  nowMs: number
  passes: boolean
  /** When the first record came. */
  startedMs: number | undefined
}

export async function openMemoryRun(options: MemoryRunOptions): Promise<MemoryRun> {
  const { wire, topologyHash, controlTopic, stages, commitEvery = 1 } = options
  const { openStore = async () => memoryStore() } = options
  const clock: Clock = { nowMs: 0, passes: false, startedMs: undefined }
  const queue = createQueue()
  const log = createMemoryLog(() => clock.nowMs, queue.wake)
  const control = createControlTable(() => {})
  const told = (entry: ControlEntry) => {
    control.note(entry)
    for (const { topic, partition } of entry.outputs) queue.wake(topic, partition)
  }
  const shared = { wire, topologyHash, controlTopic, control, commitEvery, clock, told, openStore }
  const world: MemoryWorld = { ...shared, input: log, output: log, incarnation: () => 1 }
  for (const stage of stages)
    for (const spec of stage.tasks) queue.add(await openMemoryTask(stage, spec, world))
  const { tasks, settle } = queue
  return {
    ...{ log, tasks },
    get nowMs() {
      return clock.nowMs
    },
    async append(topic, partition, records, atMs) {
      clock.startedMs ??= atMs
      clock.nowMs = Math.max(clock.nowMs, atMs)
      const timed = records.map((record) => ({ timestamp: atMs, ...record }))
      log.append(topic, partition, timed)
      await settle()
    },
    ...createTime(clock, queue),
    async endOf(topics) {
      for (const { topic, partitions } of topics) told(endOfSource(log, topic, partitions))
      await settle()
    },
    async finish() {
      for (const task of tasks) {
        await settle()
        await task.end()
      }
      await settle()
    },
    async save() {
      for (const task of tasks) await task.save()
      await settle()
    },
    async restart() {
      for (const task of tasks) {
        await task.restart()
        queue.ready(task)
      }
      await settle()
    },
    async close() {
      for (const task of tasks) await task.close()
    },
  }
}

/** Time that passes only when it is told to. */
function createTime(clock: Clock, { tasks, ready, settle }: Queue): Pick<MemoryRun, 'advance' | 'hush'> {
  /** Those that time makes speak do, in rounds, until there is nothing to say or the time is over. */
  async function pass(untilMs: number): Promise<void> {
    for (;;) {
      const due = tasks.filter((task) => task.isDue())
      for (const task of due) ready(task)
      await settle()
      if (clock.nowMs >= untilMs) return
      clock.nowMs = due.length === 0 ? untilMs : Math.min(untilMs, clock.nowMs + stepMs)
    }
  }

  async function passing(act: () => Promise<void>): Promise<void> {
    clock.passes = true
    try {
      await act()
    } finally {
      clock.passes = false
    }
  }

  return {
    advance: (ms) =>
      passing(async () => {
        const untilMs = clock.nowMs + ms
        await pass(clock.nowMs)
        for (const { task, atMs } of quietUntil(tasks, clock.startedMs ?? clock.nowMs, untilMs)) {
          await pass(Math.max(clock.nowMs, atMs))
          task.hush()
        }
        await pass(untilMs)
      }),
    hush: (topic, partition) =>
      passing(async () => {
        await pass(clock.nowMs)
        for (const task of tasks)
          if (task.spec.topic === topic && task.spec.partition === partition) task.hush()
        await pass(clock.nowMs)
      }),
  }
}

interface Queue {
  readonly tasks: readonly MemoryTask[]
  add(task: MemoryTask): void
  /** Whoever reads there has something to do. */
  wake(topic: string, partition: number): void
  ready(task: MemoryTask): void
  settle(): Promise<void>
}

/** Tasks that have something to do, the one that is furthest upstream first. */
function createQueue(): Queue {
  const tasks: MemoryTask[] = []
  const readers = new Map<string, number[]>()
  let waiting = new Uint8Array(0)
  return {
    tasks,
    add(task) {
      const place = `${task.spec.topic}/${task.spec.partition}`
      readers.set(place, [...(readers.get(place) ?? []), tasks.length])
      tasks.push(task)
      waiting = new Uint8Array(tasks.length).fill(1)
    },
    wake(topic, partition) {
      for (const reader of readers.get(`${topic}/${partition}`) ?? []) waiting[reader] = 1
    },
    ready(task) {
      waiting[tasks.indexOf(task)] = 1
    },
    async settle() {
      for (let next = waiting.indexOf(1); next !== -1; next = waiting.indexOf(1)) {
        waiting[next] = 0
        await tasks[next]!.step()
      }
    },
  }
}

/**
 * Who turns quiet until then, and when. Of those that do at the same time, the ones that have never spoken are first:
 * they hold the watermark for nothing.
 */
function quietUntil(
  tasks: readonly MemoryTask[],
  startedMs: number,
  untilMs: number,
): { task: MemoryTask; atMs: number }[] {
  return tasks
    .filter(({ stage, spec, isQuiet }) => inputOf(stage, spec.topic).source && !isQuiet)
    .map((task) => ({ task, atMs: (task.heardAtMs ?? startedMs) + task.stage.idleMs }))
    .filter(({ atMs }) => atMs <= untilMs)
    .sort(
      (left, right) =>
        left.atMs - right.atMs ||
        Number(left.task.heardAtMs !== undefined) - Number(right.task.heardAtMs !== undefined),
    )
}

/** What announces the end of a user's topic on the broker, too. */
function endOfSource(log: MemoryLog, topic: string, partitions: number): ControlEntry {
  const outputs = Array.from({ length: partitions }, (_, partition) => {
    const place = { topic, partition }
    return { ...place, offset: log.end(place) }
  })
  return { writer: 'source', topic, watermark: endOfTime, idle: true, ended: true, outputs }
}
