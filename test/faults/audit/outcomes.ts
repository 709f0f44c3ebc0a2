import type { OutcomeEntry } from '../../../services/domain/outcome/entry.ts'
import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import { keyedOutcomes, type NaiveOutcome } from '../../oracle/outcomes.ts'
import type { Fields, Origin } from './avro.ts'
import { type AuditContext, inputLog } from './context.ts'
import { differenceOf } from './difference.ts'
import type { Matcher } from './matcher.ts'
import { type PartitionLog, placeOf } from './source.ts'
import { beforeTime, endOfTime } from './task-clock.ts'
import { type Model, replayTask } from './task-replay.ts'
import { type Ref, whereOf } from './written.ts'

/** The part of every prediction that its outcome needs, in the outcome journal. */
export function carryModel(stage: Stage): Model {
  const { topic, partitions } = stage.outputs['journal']!
  return {
    turn({ fields, watermark }) {
      const { id, time, predictionId, model, modelVersion, score, decision, cells, segments } = fields
      const scoreCell = (cells as Readonly<Record<string, number>>)['__score__'] ?? 0
      const carried = { predictionId, model, modelVersion, score, decision, scoreCell, segments }
      const value = { kind: 'prediction', id, time, ...carried, label: null, source: '', watermark }
      const key = String(id)
      return [{ topic, key, by: { partitions }, value, what: `the carried part of ${key}` }]
    },
  }
}

/** A data line of the outcome journal, and the watermark of the task that reads it. */
interface Line {
  readonly entry: OutcomeEntry
  readonly watermark: number
  readonly offset: number
}

/**
 * The join of one partition against the naive one. Which record or timer brings an outcome is the task's affair; that
 * it is one of this event, and the watermark that follows from it, are checked.
 */
export async function auditJoin(context: AuditContext, stage: Stage, task: TaskSpec): Promise<void> {
  const lines: Line[] = []
  let hasEnded = false
  const model: Model = {
    turn({ fields, watermark, record }) {
      lines.push({ entry: fields as unknown as OutcomeEntry, watermark, offset: record.offset })
      return []
    },
    finish(ended) {
      hasEnded = ended
      return []
    },
  }
  const matcher: Matcher = {
    take: () => {},
    expectTimer: () => {},
    finish: () => compareOutcomes(context, stage, task, lines, hasEnded),
  }
  await replayTask(context, stage, task, model, matcher)
}

function compareOutcomes(
  context: AuditContext,
  stage: Stage,
  task: TaskSpec,
  lines: readonly Line[],
  hasEnded: boolean,
): void {
  const { findings, topology } = context
  const { horizonMs, absence } = topology.label
  const expected = new Map<string, Fields[]>()
  const rules = { horizonMs, correctionMs: horizonMs, absence }
  const carried = new Map(
    lines.flatMap(({ entry }) => (entry.kind === 'prediction' ? [[entry.id, entry] as const] : [])),
  )
  for (const outcome of keyedOutcomes(rules, lines)) {
    const name = nameOf(outcome.id, outcome.revision, outcome.state === 'orphan')
    const fields = fullOutcome(outcome, carried.get(outcome.id))
    expected.set(name, [...(expected.get(name) ?? []), fields])
  }
  const delayMs = horizonMs + 1
  const known = { log: inputLog(context, task), offsets: lines.map(({ offset }) => offset), lines, delayMs }
  const { at, end } = context.written.get(task.writer)!
  const done = new Set<string>()
  let holes = Math.max(0, (context.checkpoints.get(task.writer)?.last?.index ?? 0) - end)
  for (let index = 1; index <= end; index++) {
    const ref = at(index)
    if (ref === undefined) holes += 1
    else checkOutcome(context, ref, expected, done, known)
  }
  for (const left of expected.values()) {
    for (const fields of left) {
      if (isOpen(fields, hasEnded, lines.at(-1)?.watermark, delayMs)) continue
      if (holes > 0) holes -= 1
      else findings.add('lost', () => `${textOf(fields)} is not in ${stage.outputs['outcomes']!.topic}`)
    }
  }
}

/** Orphans of one event may be several at revision 0. */
function nameOf(id: string, revision: number, isOrphan: boolean): string {
  return `${isOrphan ? 'orphan' : revision} ${id}`
}

function textOf({ id, revision, state }: Fields): string {
  return `outcome ${revision} of ${id}, ${state}`
}

function fullOutcome(outcome: NaiveOutcome, prediction: OutcomeEntry | undefined): Fields {
  const { id, state, label, previousLabel, labelTime, revision } = outcome
  const result = { id, state, label, previousLabel, labelTime, revision }
  if (state === 'orphan' || prediction === undefined) {
    const nothing = { predictionId: '', model: '', modelVersion: 0, score: 0, decision: false, scoreCell: 0 }
    return { ...result, ...nothing, segments: {}, time: labelTime, delayMs: null }
  }
  const { predictionId, time, model, modelVersion, score, decision, scoreCell, segments } = prediction
  const carried = { predictionId, time, model, modelVersion, score, decision, scoreCell, segments }
  return { ...result, ...carried, delayMs: labelTime === null ? null : labelTime - time }
}

/** What only the end of time would bring, in a run whose input has not ended. */
function isOpen(
  { time, labelTime, state }: Fields,
  hasEnded: boolean,
  watermark = beforeTime,
  delayMs: number,
): boolean {
  if (hasEnded) return false
  const due = state === 'orphan' ? Number(labelTime) : Number(time)
  return due + delayMs > watermark
}

interface Known {
  readonly log: PartitionLog
  readonly offsets: readonly number[]
  readonly lines: readonly Line[]
  readonly delayMs: number
}

function checkOutcome(
  { decoder, findings, tainted }: AuditContext,
  { log, place, cause }: Ref,
  expected: Map<string, Fields[]>,
  done: Set<string>,
  { log: input, offsets, lines, delayMs }: Known,
): void {
  const actual = decoder.own(log.at(place).value!)
  const where = whereOf(log, place)
  const line = cause === -1 ? undefined : lines[placeOf({ offsets, size: offsets.length }, cause)]
  const id = String(actual['id'])
  const name = nameOf(id, Number(actual['revision']), actual['state'] === 'orphan')
  const wanted = expected.get(name) ?? []
  const differences = wanted.map((fields) => differenceOf(fields, actual))
  const at = Math.max(0, differences.indexOf(undefined))
  const [fields] = wanted.splice(at, 1)
  if (cause !== -1 && (line === undefined || tainted.has(`${input.topic}/${input.partition} at ${cause}`))) {
    tainted.add(where)
    findings.add(
      'abortedRead',
      () => `${where} comes from ${input.topic}/${input.partition} at ${cause}: nothing is there`,
    )
    return
  }
  if (fields === undefined) {
    const invariant = done.has(name) ? 'duplicated' : 'wrongValues'
    findings.add(invariant, () => `${where}: ${textOf(actual)} is one too many`)
    return
  }
  done.add(name)
  const { time } = actual['origin'] as Origin
  const reached = line === undefined ? time : line.watermark
  const stamp = { watermark: Math.max(beforeTime, Math.min(reached, endOfTime) - delayMs) }
  const isOfAnother =
    line !== undefined && line.entry.id !== id ? `its cause is of ${line.entry.id}` : undefined
  const found = differences[at] ?? differenceOf(stamp, actual) ?? isOfAnother
  if (found !== undefined) findings.add('wrongValues', () => `${where}: ${textOf(actual)}: ${found}`)
}
