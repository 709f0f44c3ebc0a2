import { createControlTable } from './control.ts'
import { createMemoryLog, type MemoryLog } from './in-memory-log.ts'
import { type MemoryTask, type MemoryWorld, openMemoryTask } from './in-memory-task.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { Stage, TaskSpec } from './stage.ts'
import { memoryStore } from './store/memory.ts'
import type { Store } from './store/store.ts'
import type { Wire } from './wire.ts'

export interface ReplayOptions {
  readonly wire: Wire
  readonly topologyHash: string
  readonly controlTopic: string
  readonly stages: readonly Stage[]
  /** What the stages' inputs hold, each partition in offset order, marks included. */
  readonly journals: Iterable<readonly FetchedRecord[]>
  /** Whether these inputs have ended. */
  readonly ended: boolean
  /** What tasks name their lives; records bear it. Default: 1. */
  incarnation?(task: TaskSpec): number
  /** Default: 1. */
  readonly commitEvery?: number
  /** How many records a task reads before it begins again from its changelog. Default: it never does. */
  readonly restartEvery?: number
  openStore?(stage: Stage, task: TaskSpec): Promise<Store>
}

export interface Replayed {
  /** What the tasks wrote, changelogs included; no task has read it. */
  readonly written: MemoryLog
  readonly tasks: readonly MemoryTask[]
}

/** Each task reads its own journal, as it was, and nothing of what the others make of theirs. */
export async function replayJournals(options: ReplayOptions): Promise<Replayed> {
  const { wire, topologyHash, controlTopic, commitEvery = 1, incarnation = () => 1 } = options
  const { openStore = async () => memoryStore(), restartEvery = Number.POSITIVE_INFINITY } = options
  const clock = { nowMs: 0, passes: false }
  const written = createMemoryLog(
    () => 0,
    () => {},
  )
  const input = createMemoryLog(
    () => 0,
    () => {},
  )
  const shared = { wire, topologyHash, controlTopic, commitEvery, clock, incarnation, openStore }
  const control = createControlTable(() => {})
  const world: MemoryWorld = { ...shared, control, input, output: written, told: () => {} }
  const tasks: MemoryTask[] = []
  for (const stage of options.stages)
    for (const spec of stage.tasks) tasks.push(await openMemoryTask(stage, spec, world))
  for (const journal of options.journals) {
    for (let at = 0; at < journal.length; at += restartEvery) {
      const part = journal.slice(at, at + restartEvery)
      input.load(part)
      for (const task of tasks) {
        if (task.spec.topic !== part[0]?.topic || task.spec.partition !== part[0].partition) continue
        if (at > 0) await task.restart()
        await task.step()
      }
    }
  }
  for (const task of tasks) await (options.ended ? task.end() : task.save())
  return { written, tasks }
}
