import type {
  Data,
  Emission,
  EventTime,
  Operator,
  Turn,
  Verdict,
  Wake,
} from '../../../services/domain/operator.ts'
import { beforeTime, endOfTime } from '../../../services/domain/operator.ts'

/** One task in memory: state, timers and watermark of an operator, as plain data that can be cut and restored. */
export interface Task {
  readonly state: Map<string, Data>
  wakes: Wake[]
  watermark: EventTime
  readonly emitted: Emission[]
  readonly verdicts: Verdict[]
}

export function newTask(): Task {
  return { state: new Map(), wakes: [], watermark: beforeTime, emitted: [], verdicts: [] }
}

/** Everything but what was already emitted, through JSON and back: what a restarted process would find. */
export function restored(task: Task): Task {
  const kept = JSON.parse(
    JSON.stringify({ state: [...task.state], wakes: task.wakes, watermark: task.watermark }),
  )
  return { ...task, state: new Map(kept.state), wakes: kept.wakes, watermark: kept.watermark }
}

/** As the runtime does for an internal input: the watermark first, with its wakes, then the record. */
export function step<In>(
  operator: Operator<In>,
  task: Task,
  record: In,
  watermark: EventTime,
  offset = 0,
): void {
  advance(operator, task, watermark)
  const place = { topic: 'journal', partition: 0, offset, timestamp: 0, watermark: task.watermark }
  const turn = operator.turn({ get: (key) => task.state.get(key) }, record, place)
  task.verdicts.push(turn.verdict)
  apply(task, turn)
}

export function finish<In>(operator: Operator<In>, task: Task): void {
  advance(operator, task, endOfTime)
}

function advance<In>(operator: Operator<In>, task: Task, watermark: EventTime): void {
  if (watermark <= task.watermark) return
  task.watermark = watermark
  for (;;) {
    task.wakes.sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
    const wake = task.wakes[0]
    if (wake === undefined || wake.at > watermark) return
    task.wakes.shift()
    const turn = operator.wake?.({ get: (key) => task.state.get(key) }, wake, watermark)
    if (turn) apply(task, turn)
  }
}

function apply(task: Task, turn: Turn): void {
  for (const [key, value] of turn.put ?? []) {
    if (value === undefined) task.state.delete(key)
    else task.state.set(key, value)
  }
  for (const wake of turn.wake ?? []) {
    if (!task.wakes.some(({ at, key }) => at === wake.at && key === wake.key)) task.wakes.push(wake)
  }
  task.emitted.push(...(turn.emit ?? []))
}
