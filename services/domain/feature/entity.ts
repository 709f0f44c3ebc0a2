import { type AnyAggregate, addValue } from '../aggregate/aggregate.ts'
import { aggregateOf } from '../aggregate/table.ts'
import { createDraft, type Draft, stateKey } from '../draft.ts'
import type { Stream, Value } from '../event/contract.ts'
import type { EventTime, Operator } from '../operator.ts'
import { type Entry, entriesWithin, expire, insert, type Log } from '../window/log.ts'
import { slackMs } from '../window/retention.ts'
import { trailing } from '../window/trailing.ts'
import type { AggregateFeature, Feature } from './definition.ts'
import { compileExpression, type Evaluate } from './expression.ts'
import { type JournalRecord, type PartRecord, partEmission } from './records.ts'
import { plain, type Reading, readingOf, sortedFeatures, statusesOf, valuesOf } from './status.ts'

export interface EntityDefinition {
  readonly entity: string
  readonly scored: string
  readonly alignmentMs: number
  readonly streams: Readonly<Record<string, Stream>>
  readonly features: Readonly<Record<string, Feature>>
}

/**
 * Keeps the windows of one partition of an entity's journal and reads them for the scored stream. Quantities over
 * the same (stream, field) share one log per key, with one column per distinct input. A record first reads what
 * excludes it, then enters its log, then reads what includes it; so what came later in the journal is never seen,
 * and of entries with the same time those that came earlier are. An event that names the same key in two roles
 * counts as two records, in the order of the journal.
 *
 * A late event only reads, as of its own time, and its values are stale. So are those of an event that is behind
 * this task's watermark by more than `slackMs`: the windows of its time are gone and nothing is read.
 */
export function entity(definition: EntityDefinition): Operator<JournalRecord> {
  const slack = slackMs(definition.streams, definition.alignmentMs)
  const plans = planLogs(definition, slack)
  const readers = planReaders(definition, plans)

  return {
    turn(state, record, place) {
      const draft = createDraft(state)
      if (!record.late) noteFirst(draft, record.time)
      const gone = record.time < place.watermark - slack
      const reading = record.stream === definition.scored ? (readers.get(record.field) ?? []) : []
      const { include = [], exclude = [] } = Object.groupBy(reading, ({ feature }) => feature.quantity.self)

      const before = readAll(draft, exclude, record, gone)
      const plan = plans.get(stateKey(record.stream, record.field))
      if (plan !== undefined && !record.late && record.time > place.watermark - plan.retentionMs) {
        insert(draft, logOf(plan, record.key), entryOf(plan, record))
      }
      const after = readAll(draft, include, record, gone)
      if (reading.length > 0) draft.emit(partEmission(partOf(record, [...before, ...after])))
      return draft.turn('applied')
    },
    wake(state, wake, watermark) {
      const draft = createDraft(state)
      const plan = planOf(plans, wake.key)
      if (plan !== undefined) expire(draft, { key: wake.key, retentionMs: plan.retentionMs }, watermark)
      return draft.turn('applied')
    },
  }
}

/** One log per key of a (stream, field): what an entry holds, and for how long it is kept. */
interface LogPlan {
  readonly source: string
  /** Each distinct input by its definition as text; an entry holds them in this order, behind its time. */
  readonly inputs: ReadonlyMap<string, Evaluate>
  readonly retentionMs: number
}

interface Reader {
  readonly name: string
  readonly feature: AggregateFeature
  readonly aggregate: AnyAggregate
  readonly plan: LogPlan
  /** Position of the input in an entry; undefined when events are counted. */
  readonly column: number | undefined
}

function planLogs({ entity, features }: EntityDefinition, slack: number): Map<string, LogPlan> {
  const quantities = aggregatesOf(entity, features).map(([, feature]) => feature.quantity)
  const bySource = Map.groupBy(quantities, ({ stream, by }) => stateKey(stream, by))
  const plans = new Map<string, LogPlan>()
  for (const [source, group] of bySource) {
    const inputs = new Map<string, Evaluate>()
    for (const { of } of group) if (of !== null) inputs.set(JSON.stringify(of), compileExpression(of))
    const longestMs = Math.max(...group.map(({ window }) => window.sizeMs))
    plans.set(source, { source, inputs, retentionMs: longestMs + slack })
  }
  return plans
}

/** The features that are read at each field of the scored stream, sorted by name. */
function planReaders(
  { entity, features }: EntityDefinition,
  plans: Map<string, LogPlan>,
): Map<string, readonly Reader[]> {
  const readers = aggregatesOf(entity, features).map(([name, feature]) => {
    const { aggregate, stream, by, of } = feature.quantity
    const plan = plans.get(stateKey(stream, by))!
    const column = of === null ? undefined : 1 + [...plan.inputs.keys()].indexOf(JSON.stringify(of))
    return { name, feature, aggregate: aggregateOf(aggregate), plan, column }
  })
  return Map.groupBy(readers, ({ feature }) => feature.at)
}

function aggregatesOf(entity: string, features: EntityDefinition['features']): [string, AggregateFeature][] {
  return sortedFeatures(features).flatMap(([name, feature]) =>
    feature.kind === 'aggregate' && feature.quantity.entity === entity ? [[name, feature]] : [],
  )
}

function logOf(plan: LogPlan, key: string): Log {
  return { key: `log|${stateKey(key)}|${plan.source}`, retentionMs: plan.retentionMs }
}

/** The plan of the log that a wake is for; undefined when the topology has none any more. */
function planOf(plans: Map<string, LogPlan>, logKey: string): LogPlan | undefined {
  const [, , ...source] = logKey.split('|')
  return plans.get(source.join('|'))
}

/** What is no finite number is kept as null: JSON, in which the state is written, has no other numbers. */
function entryOf(plan: LogPlan, { time, values }: JournalRecord): Entry {
  const inputs = [...plan.inputs.values()].map((input) => {
    const value = input(values)
    return typeof value === 'number' && !Number.isFinite(value) ? null : plain(value)
  })
  return [time, ...inputs]
}

function readAll(draft: Draft, readers: readonly Reader[], record: JournalRecord, gone: boolean): Reading[] {
  const firstTime = (draft.get(firstKey) as EventTime | undefined) ?? record.time
  const stale = record.late || gone
  const runs = new Map<LogPlan, readonly Entry[]>()
  return readers.map(({ name, feature, aggregate, plan, column }) => {
    if (gone) return readingOf(name, feature, null, { stale })
    const { sizeMs } = feature.quantity.window
    const run =
      runs.get(plan) ??
      entriesWithin(draft, logOf(plan, record.key), record.time - plan.retentionMs, record.time)
    runs.set(plan, run)
    const computed = fold(aggregate, trailing(run, record.time, sizeMs), column)
    return readingOf(name, feature, computed, { stale, warming: record.time - firstTime < sizeMs })
  })
}

/** Oldest first, so that the same entries give the same bits whatever happened in between. */
function fold(aggregate: AnyAggregate, entries: readonly Entry[], column: number | undefined): Value {
  let state = aggregate.zero
  for (const entry of entries) {
    state = addValue(aggregate, state, column === undefined ? true : (entry[column] as Value))
  }
  return aggregate.result(state)
}

/** When this task's time began: the earliest event that was on time. Until a window later, windows are warming. */
const firstKey = 'first'

function noteFirst(draft: Draft, time: EventTime): void {
  const first = draft.get(firstKey) as EventTime | undefined
  if (first === undefined || time < first) draft.put(firstKey, time)
}

function partOf(record: JournalRecord, readings: readonly Reading[]): PartRecord {
  const sorted = readings.toSorted((left, right) => (left.name < right.name ? -1 : 1))
  return {
    id: record.id,
    part: record.field,
    parts: [],
    time: record.time,
    late: record.late,
    values: valuesOf(sorted),
    statuses: statusesOf(sorted),
    event: {},
  }
}
