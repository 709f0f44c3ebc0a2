import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import type { Fields, Stamp } from './avro.ts'
import { type AuditContext, inputLog, upstreamsOf } from './context.ts'
import { createMatcher, type Expected, type Matcher } from './matcher.ts'
import { type PartitionLog, placeOf, type StoredRecord } from './source.ts'
import { createTaskClock } from './task-clock.ts'
import { whereOf } from './written.ts'

/** A record of the input as its task must have read it. */
export interface Step {
  readonly log: PartitionLog
  readonly place: number
  readonly record: StoredRecord
  /** Decoded; empty for a record of a user's topic, which the model decodes by contract. */
  readonly fields: Fields
  /** The task's, this record's own word included; unused for a user's topic. */
  readonly watermark: number
}

/** What a task must write, worked out once more from what it read. */
export interface Model {
  /** Everything asynchronous, for the next few records. */
  prepare?(steps: readonly Step[]): Promise<void>
  /** What event time's reaching `watermark` makes it write, before the record that brought it. */
  due?(watermark: number): readonly Expected[]
  turn(step: Step): readonly Expected[]
  /** Everything has been read; `ended` when event time has come to its end. */
  finish?(ended: boolean): readonly Expected[]
  /** Checks what is beside the records: the books, say. */
  close?(read: { readonly applied: number; readonly where: string }): void
}

const batch = 512

/**
 * Goes through a task's input from its beginning to its checkpoint and compares what it wrote with what it must have
 * written, by the offset that caused it. What a reader drops because it has seen it causes nothing.
 *
 * @param given compares in another way
 */
export async function replayTask(
  context: AuditContext,
  stage: Stage,
  task: TaskSpec,
  model: Model,
  given?: Matcher,
): Promise<void> {
  const { checkpoints, decoder, findings } = context
  const log = inputLog(context, task)
  const isSource = stage.inputs.find(({ topic }) => topic === task.topic)!.source
  const last = checkpoints.get(task.writer)?.last
  const position = last?.position ?? 0
  const clock = createTaskClock(isSource ? [] : upstreamsOf(stage, task))
  const isData = (offset: number) => {
    const place = placeOf(log, offset)
    return place >= 0 && !context.isMark(log, place)
  }
  const matcher = given ?? createMatcher(context, task, log, isData)
  let applied = 0

  for (let from = 0; from < log.size; from += batch) {
    const steps: Step[] = []
    for (let place = from; place < Math.min(log.size, from + batch); place++) {
      const step = stepAt(log, place)
      if (step !== undefined) steps.push(step)
    }
    await model.prepare?.(steps.filter(({ fields }) => !isMarkOf(fields)))
    for (const step of steps) {
      const { watermark, fields } = step
      for (const timer of model.due?.(watermark) ?? []) matcher.expectTimer(timer)
      if (isMarkOf(fields)) continue
      applied += 1
      matcher.take(step.record.offset, model.turn(step))
    }
  }
  for (const timer of model.finish?.(last?.ended === true) ?? []) matcher.expectTimer(timer)
  matcher.finish()
  checkCounts(context, task, applied)
  model.close?.({ applied, where: task.writer })

  function stepAt(log: PartitionLog, place: number): Step | undefined {
    const record = log.at(place)
    const isBeyond = record.offset >= position
    if (isSource) {
      if (isBeyond) findings.add('lost', () => `${whereOf(log, place)}: ${task.writer} never read it`)
      return isBeyond ? undefined : { log, place, record, fields: {}, watermark: 0 }
    }
    const fields = decoder.own(record.value!)
    const { seen, watermark } = clock.hear(fields as unknown as Stamp)
    if (seen) return undefined
    if (!isBeyond) return { log, place, record, fields, watermark }
    if (!isMarkOf(fields)) findings.add('lost', () => `${whereOf(log, place)}: ${task.writer} never read it`)
    return undefined
  }
}

function isMarkOf({ kind }: Fields): boolean {
  return kind === 'mark' || kind === 'idle'
}

/** `in` counts what had a turn: marks and what was seen before had none. */
function checkCounts({ checkpoints, findings }: AuditContext, task: TaskSpec, applied: number): void {
  const counts = checkpoints.get(task.writer)?.last?.counts
  if (counts !== undefined && counts.in !== applied) {
    findings.add(
      'wrongValues',
      () => `${task.writer}: its books have ${counts.in} records, it read ${applied}`,
    )
  }
}
