import type { TaskSpec } from '../../../topologies/plan.ts'
import type { Fields, Origin } from './avro.ts'
import type { AuditContext } from './context.ts'
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
  const { findings, tainted, isAtLeastOnce } = context
  const written = context.written.get(task.writer)!
  const compare = createComparison(context, task)
  const timers: Ref[] = []
  const dueTimers: Expected[] = []
  let index = 1
  // What came from where no record is takes the place of what was expected instead of it.
  const astray = new Map<string, number>()
  let holes = 0
  let reached = -1

  /** Records of the given offset; what stands before them and belongs to no later record is judged on the way. */
  function recordsOf(offset: number): Ref[] {
    const found: Ref[] = []
    for (; index <= written.end; index++) {
      const ref = written.at(index)
      if (ref === undefined) holes += 1
      else if (ref.cause === -1) timers.push(ref)
      else if (ref.cause === offset) found.push(ref)
      else if (ref.cause < offset || !isData(ref.cause) || isAhead(ref)) judgeStray(ref)
      else break
    }
    return found
  }

  /** True when the next record comes from an earlier offset: then this one is out of order, not that one. */
  function isAhead({ cause }: Ref): boolean {
    for (let next = index + 1; next <= written.end; next++) {
      const ref = written.at(next)
      if (ref !== undefined && ref.cause >= 0) return ref.cause < cause && isData(ref.cause)
    }
    return false
  }

  function judgeStray(ref: Ref): void {
    const where = whereOf(ref.log, ref.place)
    if (!isData(ref.cause)) {
      tainted.add(where)
      const name = `${ref.log.topic} ${ref.log.at(ref.place).key}`
      astray.set(name, (astray.get(name) ?? 0) + 1)
      findings.add('abortedRead', () => {
        return `${where} comes from ${log.topic}/${log.partition} at ${ref.cause}, where no committed record is`
      })
    } else if (ref.cause <= reached && !isAtLeastOnce(task.writer)) {
      findings.add('duplicated', () => `${where}: offset ${ref.cause} of ${task.writer} was done before`)
    } else if (ref.cause > reached) {
      findings.add(
        'wrongValues',
        () => `${where}: ${task.writer} cannot have been at offset ${ref.cause} yet`,
      )
    }
  }

  function missing(expected: Expected, cause: string): void {
    const name = `${expected.topic} ${expected.key}`
    const instead = astray.get(name) ?? 0
    if (holes > 0) holes -= 1
    else if (instead > 0) astray.set(name, instead - 1)
    else
      findings.add(
        'lost',
        () => `${expected.what} that ${cause} of ${task.writer} must have written to ${expected.topic}`,
      )
  }

  return {
    take(offset, expected) {
      const left = recordsOf(offset)
      reached = Math.max(reached, offset)
      const isTainted = tainted.size > 0 && tainted.has(`${log.topic}/${log.partition} at ${offset}`)
      if (isTainted) {
        for (const ref of left) taint(ref, offset)
        return
      }
      const matched: Expected[] = []
      for (const one of expected) {
        const at = left.findIndex((ref) => compare.isIt(one, ref))
        if (at < 0) missing(one, `offset ${offset}`)
        else {
          compare.check(one, left.splice(at, 1)[0]!)
          matched.push(one)
        }
      }
      for (const ref of left) {
        const again = matched.some((one) => compare.isIt(one, ref))
        findings.add(again ? 'duplicated' : 'wrongValues', () => {
          return `${whereOf(ref.log, ref.place)}: one too many of offset ${offset} of ${task.writer}`
        })
      }
    },
    expectTimer: (expected) => dueTimers.push(expected),
    finish() {
      recordsOf(Number.POSITIVE_INFINITY)
      for (const one of dueTimers) {
        const at = timers.findIndex((ref) => compare.isIt(one, ref))
        if (at < 0) missing(one, `a timer at ${one.time}`)
        else compare.check(one, timers.splice(at, 1)[0]!)
      }
      for (const ref of timers) {
        findings.add(
          'wrongValues',
          () => `${whereOf(ref.log, ref.place)}: no timer of ${task.writer} makes that`,
        )
      }
    },
  }

  function taint(ref: Ref, offset: number): void {
    const where = whereOf(ref.log, ref.place)
    tainted.add(where)
    findings.add('abortedRead', () => `${where} follows from ${log.topic}/${log.partition} at ${offset}`)
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
      const found = differenceOf(value, actual, expected.loose) ?? misplaced(expected, log)
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
