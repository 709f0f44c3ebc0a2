import type { Alignment } from './control.ts'
import { tidemarkError } from './errors.ts'
import type { TopicPartition } from './kafka/fetch.ts'
import type { Stage, TaskSpec } from './stage.ts'
import { startTask, type Task, type TaskStatus, type TaskWorld } from './task.ts'

/** The tasks of one process: as many as its group has assigned to it. */
export interface TaskSet {
  /** Opens what is new, closes what is gone, and leaves alone what stays: it runs on through a rebalance. */
  assign(partitions: readonly TopicPartition[]): void
  readonly tasks: Iterable<Task>
  statuses(): TaskStatus[]
  /** True when no task is being closed or restored. */
  readonly settled: boolean
  /** Commits and closes all. */
  close(): Promise<void>
}

interface Entry {
  readonly stage: Stage
  readonly spec: TaskSpec
}

export function createTaskSet(
  stages: readonly Stage[],
  alignments: ReadonlyMap<Stage, Alignment>,
  world: TaskWorld,
): TaskSet {
  const entries = entriesByPlace(stages)
  const tasks = new Map<string, Task>()
  const closing = new Map<string, Promise<void>>()
  let isClosed = false

  function close(place: string, task: Task): Promise<void> {
    tasks.delete(place)
    const done = task.close().finally(() => {
      if (closing.get(place) === done) closing.delete(place)
    })
    closing.set(place, done)
    return done
  }

  function open(place: string, { stage, spec }: Entry): void {
    // A task that comes back while it is still closing waits for its store.
    const previous = closing.get(place)
    const patient: TaskWorld = {
      ...world,
      openStore: async (...args) => {
        await previous
        return world.openStore(...args)
      },
    }
    tasks.set(place, startTask(stage, spec, alignments.get(stage), patient))
  }

  return {
    assign(partitions) {
      // The group may still assign something to a process that is on its way out.
      if (isClosed) return
      const wanted = new Set(partitions.map(({ topic, partition }) => `${topic}/${partition}`))
      for (const [place, task] of tasks) if (!wanted.has(place)) void close(place, task)
      for (const place of wanted) {
        const entry = entries.get(place)
        if (entry && !tasks.has(place)) open(place, entry)
      }
    },
    get tasks() {
      return tasks.values()
    },
    statuses: () => [...tasks.values()].map((task) => task.status()),
    get settled() {
      return closing.size === 0 && [...tasks.values()].every((task) => task.status().running)
    },
    async close() {
      isClosed = true
      await Promise.all([...tasks].map(([place, task]) => close(place, task)))
      await Promise.all(closing.values())
    },
  }
}

function entriesByPlace(stages: readonly Stage[]): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const stage of stages) {
    for (const spec of stage.tasks) {
      const place = `${spec.topic}/${spec.partition}`
      // A group assigns partitions, not stages: two stages of a service may not read the same topic.
      if (entries.has(place)) throw tidemarkError('TM_TOPOLOGY', `two stages of a service read ${spec.topic}`)
      entries.set(place, { stage, spec })
    }
  }
  return entries
}
