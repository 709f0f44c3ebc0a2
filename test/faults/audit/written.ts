import type { Plan, Stage } from '../../../topologies/plan.ts'
import { stagesOf } from '../../../topologies/plan.ts'
import type { Decoder, Fields, Stamp } from './avro.ts'
import type { Checkpoints } from './checkpoints.ts'
import { type Column, createColumn } from './column.ts'
import { differenceOf } from './difference.ts'
import type { Findings } from './findings.ts'
import type { PartitionLog, RecordSource } from './source.ts'

/** Everything that one task wrote, in the order in which it says it did. */
export interface Written {
  /** The largest index of all. */
  readonly end: number
  /** The record of an index, 1 to `end`; undefined where there is none. */
  at(index: number): Ref | undefined
}

/** One record of a log. */
export interface Ref {
  readonly log: PartitionLog
  readonly place: number
  /** Offset of the input record that caused it, −1 for a timer. */
  readonly cause: number
}

export interface Origins {
  readonly written: ReadonlyMap<string, Written>
  isMark(log: PartitionLog, place: number): boolean
}

export interface OriginOptions {
  readonly plan: Plan
  readonly source: RecordSource
  readonly decoder: Decoder
  readonly checkpoints: ReadonlyMap<string, Checkpoints>
  readonly findings: Findings
  isAtLeastOnce(writer: string): boolean
}

/** A writer's records as they were met: index, cause, and number of the log with place. */
interface Rows {
  readonly index: Column
  readonly cause: Column
  readonly where: Column
}

/** A record that stands behind a later one of the same writer. */
interface Disorder {
  readonly log: PartitionLog
  readonly at: number
  readonly writer: string
  readonly index: number
  readonly behind: number
}

const placesPerLog = 2 ** 36

/**
 * Reads where every record of Tidemark's own comes from, and checks what needs no meaning: each writer's indexes run
 * from 1 to its last checkpoint's, each once over all topics, and rise along every partition.
 */
export function readOrigins(options: OriginOptions): Origins {
  const { plan, source, checkpoints, findings } = options
  const logs = stampedTopics(plan).flatMap((topic) => source.partitions(topic))
  const marks = new Map<PartitionLog, Uint8Array>()
  const rows = new Map<string, Rows>()
  const disorder: Disorder[] = []
  const writers = new Set(stagesOf(plan).flatMap(({ tasks }) => tasks.map(({ writer }) => writer)))
  logs.forEach((log, number) => {
    marks.set(log, scan(log, number, rows, writers, disorder, options))
  })
  const written = new Map<string, Written>()
  for (const writer of writers) {
    const { last } = checkpoints.get(writer) ?? {}
    const one = place(writer, rows.get(writer), logs, options)
    written.set(writer, one)
    checkEnd(writer, one.end, last?.index ?? 0, findings)
    reportHoles(writer, one, last?.index ?? 0, checkpoints.get(writer), findings)
  }
  for (const { log, at, writer, index, behind } of disorder) {
    const here = written.get(writer)?.at(index)
    // A record that is there twice has been reported as that.
    if (here?.log !== log || here.place !== at) continue
    findings.add('torn', () => `${whereOf(log, at)}: ${writer} wrote ${index} behind ${behind}`)
  }
  return { written, isMark: (log, at) => marks.get(log)?.[at] === 1 }
}

/** All topics of Tidemark's own whose records say where they come from. */
export function stampedTopics(plan: Plan): string[] {
  const unstamped = new Set(['source', 'changelog', 'topology', 'control'])
  return plan.topics.filter(({ kind }) => !unstamped.has(kind)).map(({ name }) => name)
}

/** The stage of a writer, `entity-airport` of `entity-airport/…`. */
export function stageOfWriter(plan: Plan, writer: string): Stage | undefined {
  return stagesOf(plan).find(({ tasks }) => tasks.some((task) => task.writer === writer))
}

function scan(
  log: PartitionLog,
  number: number,
  rows: Map<string, Rows>,
  writers: ReadonlySet<string>,
  disorder: Disorder[],
  { decoder, findings, isAtLeastOnce }: OriginOptions,
): Uint8Array {
  const marks = new Uint8Array(log.size)
  const reached = new Map<string, { index: number; incarnation: number }>()
  for (let at = 0; at < log.size; at++) {
    const stamp = stampAt(log, at, decoder, findings)
    if (stamp === undefined) continue
    const { writer, index, incarnation, offset } = stamp.origin
    if (!writers.has(writer))
      findings.add('wrongValues', () => `${whereOf(log, at)}: nobody is called ${writer}`)
    if (stamp.kind === 'mark' || stamp.kind === 'idle') {
      marks[at] = 1
      continue
    }
    const before = reached.get(writer)
    if (before !== undefined && before.incarnation !== incarnation) {
      findings.add('lost', () => `${whereOf(log, at)}: ${writer} has another life, ${incarnation}`)
    } else if (before !== undefined && index < before.index && !isAtLeastOnce(writer)) {
      disorder.push({ log, at, writer, index, behind: before.index })
    }
    reached.set(writer, { index, incarnation })
    let row = rows.get(writer)
    if (row === undefined) {
      row = { index: createColumn(), cause: createColumn(), where: createColumn() }
      rows.set(writer, row)
    }
    row.index.push(index)
    row.cause.push(offset)
    row.where.push(number * placesPerLog + at)
  }
  return marks
}

function stampAt(log: PartitionLog, at: number, decoder: Decoder, findings: Findings): Stamp | undefined {
  try {
    return decoder.stamp(log.at(at).value ?? Buffer.alloc(0))
  } catch (error) {
    findings.add('wrongValues', () => `${whereOf(log, at)}: ${(error as Error).message}`)
    return undefined
  }
}

/** Puts each record at its index; a second one at the same index is there twice. */
function place(
  writer: string,
  rows: Rows | undefined,
  logs: readonly PartitionLog[],
  { decoder, findings, isAtLeastOnce }: OriginOptions,
): Written {
  const [indexes, causes, wheres] = [rows?.index, rows?.cause, rows?.where].map(
    (column) => column?.taken() ?? new Float64Array(),
  ) as [Float64Array, Float64Array, Float64Array]
  const end = indexes.reduce((most, index) => Math.max(most, index), 0)
  const slots = new Int32Array(Math.min(end, 4 * indexes.length + 1_000_000) + 1)
  const refOf = (row: number): Ref => {
    const log = logs[Math.floor(wheres[row]! / placesPerLog)]!
    return { log, place: wheres[row]! % placesPerLog, cause: causes[row]! }
  }
  indexes.forEach((index, row) => {
    const taken = slots[index]
    if (taken === undefined) findings.add('wrongValues', () => `${writer} cannot have written index ${index}`)
    else if (taken === 0) slots[index] = row + 1
    else {
      const [first, second] = [refOf(taken - 1), refOf(row)]
      if (isAtLeastOnce(writer) && areSame(first, second, decoder)) return
      findings.add('duplicated', () => {
        return `${whereOf(second.log, second.place)}: index ${index} of ${writer} is also at ${whereOf(first.log, first.place)}`
      })
    }
  })
  const at = (index: number) => (slots[index] ? refOf(slots[index] - 1) : undefined)
  return { end: Math.min(end, slots.length - 1), at }
}

function areSame(left: Ref, right: Ref, decoder: Decoder): boolean {
  const [first, second] = [left, right].map(({ log, place: at }) =>
    withoutRuntime(decoder.own(log.at(at).value!)),
  )
  return differenceOf(first!, second!) === undefined
}

export function withoutRuntime(fields: Fields): Fields {
  const { runtime: _, ...rest } = fields
  return rest
}

function checkEnd(writer: string, end: number, expected: number, findings: Findings): void {
  if (end > expected) {
    findings.add(
      'torn',
      () => `${writer} wrote up to index ${end}, its last checkpoint says ${expected}`,
      end - expected,
    )
  }
}

/**
 * What is missing at the end is lost. So is what is missing between two commits without any sign of a commit of its
 * own: its transaction was given up and never done again. Any other hole is a transaction of which a part is there.
 */
function reportHoles(
  writer: string,
  written: Written,
  expected: number,
  checkpoints: Checkpoints | undefined,
  findings: Findings,
): void {
  const end = Math.max(expected, written.end)
  for (let index = 1; index <= end; index++) {
    if (written.at(index) !== undefined) continue
    const from = index
    while (index < end && written.at(index + 1) === undefined) index += 1
    const to = index
    const isWhole = checkpoints?.isEnd(from - 1) === true && !checkpoints.hasEndWithin(from, to)
    const isLost = to === end || (isWhole && to > from)
    const what = () => `indexes ${from} to ${to} of ${writer} are nowhere, of ${end}`
    findings.add(isLost ? 'lost' : 'torn', what, to - from + 1)
  }
}

export function whereOf(log: PartitionLog, place: number): string {
  return `${log.topic}/${log.partition} at ${log.offsets[place]}`
}
