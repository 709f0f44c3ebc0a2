import type { TaskSpec } from '../../../topologies/plan.ts'
import type { Fields, Origin } from './avro.ts'
import type { AuditContext } from './context.ts'
import { createCursor, taint } from './cursor.ts'
import { differenceOf } from './difference.ts'
import { partitionOfKey } from './partitioner.ts'
import type { PartitionLog } from './source.ts'
import { type Ref, whereOf } from './written.ts'

/** A record that a task must write. */
export interface Expected {
  readonly topic: string
  /** The Kafka key; undefined where it is not the auditor's to say. */
  readonly key: string | undefined
  /** How many partitions share the keys, or the partition itself. */
  readonly by: { readonly partitions: number } | { readonly partition: number }
  readonly value: Fields
  /** Nested records come in the order of their schema: only what is expected of them is looked at. */
  readonly unordered?: boolean
  /** Names within the value whose numbers may differ by rounding. */
  readonly loose?: ReadonlySet<string>
  /** For what the log cannot tell, such as a model that failed: what must be there, given what is. */
  readonly given?: (actual: Fields) => Fields
  /** Event time of the timer that makes it, for one that no record causes. */
  readonly time?: number
  /** In words, for a person. */
  readonly what: string
}

/** Compares what a task wrote with what it must have written, going through both in order. */
export interface Matcher {
  /** Everything that the record at an input offset must have caused. */
  take(offset: number, expected: readonly Expected[]): void
  /** Something that a timer must have caused, in the order in which timers act. */
  expectTimer(expected: Expected): void
  finish(): void
}

export function createMatcher(
  context: AuditContext,
  task: TaskSpec,
  log: PartitionLog,
  isData: (offset: number) => boolean,
): Matcher {
  const { findings, tainted } = context
  const compare = createComparison(context, task)
  const cursor = createCursor(context, task, log, isData)
  const due: Expected[] = []

  function missing({ topic, key, what }: Expected, cause: string): void {
    if (cursor.explains(`${topic} ${key}`)) return
    findings.add('lost', () => `${what} that ${cause} of ${task.writer} must have written to ${topic}`)
  }

  /** Takes what is expected out of what is there; returns what was found. */
  function pair(expected: readonly Expected[], left: Ref[], cause: (one: Expected) => string): Expected[] {
    return expected.filter((one) => {
      const at = left.findIndex((ref) => compare.isIt(one, ref))
      if (at < 0) missing(one, cause(one))
      else compare.check(one, left.splice(at, 1)[0]!)
      return at >= 0
    })
  }

  return {
    take(offset, expected) {
      const left = cursor.recordsOf(offset)
      const cause = `${log.topic}/${log.partition} at ${offset}`
      if (tainted.size > 0 && tainted.has(cause)) {
        for (const ref of left) taint(context, ref, `follows from ${cause}`)
        return
      }
      const paired = pair(expected, left, () => `offset ${offset}`)
      for (const ref of left) {
        const isAgain = paired.some((one) => compare.isIt(one, ref))
        findings.add(isAgain ? 'duplicated' : 'wrongValues', () => {
          return `${whereOf(ref.log, ref.place)}: one too many of offset ${offset} of ${task.writer}`
        })
      }
    },
    expectTimer: (expected) => due.push(expected),
    finish() {
      const timers = cursor.finish()
      pair(due, timers, ({ time }) => `a timer at ${time}`)
      for (const { log, place } of timers) {
        findings.add('wrongValues', () => `${whereOf(log, place)}: no timer of ${task.writer} makes that`)
      }
    },
  }
}

/** For tasks whose records are checked as a whole: only that each comes from a record which is there. */
export function causeMatcher({ written, findings, tainted }: AuditContext, task: TaskSpec): Matcher {
  const read = new Set<number>()
  return {
    take: (offset) => read.add(offset),
    expectTimer: () => {},
    finish() {
      const { at, end } = written.get(task.writer)!
      for (let index = 1; index <= end; index++) {
        const ref = at(index)
        if (ref === undefined || ref.cause === -1) continue
        const cause = `${task.topic}/${task.partition} at ${ref.cause}`
        if (read.has(ref.cause) && !tainted.has(cause)) continue
        findings.add(
          'abortedRead',
          () => `${whereOf(ref.log, ref.place)} comes from ${cause}: nothing is there`,
        )
      }
    },
  }
}

function createComparison({ decoder, findings }: AuditContext, task: TaskSpec) {
  return {
    /** Whether a record is the one that is expected, right or wrong. */
    isIt({ topic, key, time }: Expected, { log, place }: Ref): boolean {
      if (topic !== log.topic) return false
      const record = log.at(place)
      if (key !== undefined && record.key?.toString() !== key) return false
      return time === undefined || decoder.stamp(record.value!).origin.time === time
    },
    check(expected: Expected, { log, place }: Ref): void {
      const record = log.at(place)
      const actual = decoder.own(record.value!)
      const value = expected.given?.(actual) ?? expected.value
      const found = differenceOf(value, actual, expected) ?? misplaced(expected, log)
      const { time } = actual['origin'] as Origin
      const late = time === (expected.time ?? 0) ? undefined : `origin.time is ${time}`
      const what = found ?? late
      if (what !== undefined) {
        findings.add(
          'wrongValues',
          () => `${whereOf(log, place)} by ${task.writer}, ${expected.what}: ${what}`,
        )
      }
    },
  }
}

function misplaced({ by, key }: Expected, { partition }: PartitionLog): string | undefined {
  if ('partition' in by)
    return partition === by.partition ? undefined : `it is not in partition ${by.partition}`
  if (key === undefined || by.partitions === 1) return undefined
  const expected = partitionOfKey(Buffer.from(key), by.partitions)
  return partition === expected ? undefined : `its key belongs to partition ${expected}`
}
