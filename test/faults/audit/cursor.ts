import type { TaskSpec } from '../../../topologies/plan.ts'
import type { AuditContext } from './context.ts'
import type { PartitionLog } from './source.ts'
import { type Ref, whereOf } from './written.ts'

/** Goes through what a task wrote, in its own order, beside its input. */
export interface Cursor {
  /** Records of an offset, of which each call has a larger one; what stands before them and belongs nowhere is judged. */
  recordsOf(offset: number): Ref[]
  /** Whether something that is missing has been reported already: as a hole, or as a record from nowhere in its place. */
  explains(name: string): boolean
  /** Judges the rest; returns what timers wrote. */
  finish(): Ref[]
}

export function createCursor(
  context: AuditContext,
  { writer, topic, partition }: TaskSpec,
  log: PartitionLog,
  isData: (offset: number) => boolean,
): Cursor {
  const written = context.written.get(writer)!
  const timers: Ref[] = []
  const astray = new Map<string, number>()
  let index = 1
  let holes = 0
  // What its last checkpoint says it wrote behind the last record that is there.
  let beyondEnd = Math.max(0, (context.checkpoints.get(writer)?.last?.index ?? 0) - written.end)
  let reached = -1

  function recordsOf(offset: number): Ref[] {
    const found: Ref[] = []
    for (; index <= written.end; index++) {
      const ref = written.at(index)
      if (ref === undefined) holes += 1
      else if (ref.cause === -1) timers.push(ref)
      else if (ref.cause === offset) found.push(ref)
      else if (ref.cause < offset || !isData(ref.cause) || isAhead(ref)) judge(ref)
      else break
    }
    if (index > written.end) {
      holes += beyondEnd
      beyondEnd = 0
    }
    reached = Math.max(reached, offset)
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

  function judge(ref: Ref): void {
    const { cause, log: own, place } = ref
    const where = whereOf(own, place)
    if (!isData(cause)) {
      const name = `${own.topic} ${own.at(place).key}`
      astray.set(name, (astray.get(name) ?? 0) + 1)
      taint(context, ref, `comes from ${topic}/${partition} at ${cause}, where no committed record is`)
    } else if (cause <= reached) {
      context.findings.add('duplicated', () => `${where}: offset ${cause} of ${writer} was done before`)
    } else {
      context.findings.add('wrongValues', () => `${where}: ${writer} cannot have been at offset ${cause} yet`)
    }
  }

  return {
    recordsOf,
    explains(name) {
      const instead = astray.get(name) ?? 0
      if (holes > 0) holes -= 1
      else if (instead > 0) astray.set(name, instead - 1)
      else return false
      return true
    },
    finish() {
      recordsOf(log.size === 0 ? 0 : log.offsets[log.size - 1]! + 1)
      return timers
    },
  }
}

/** Reports a record that no reader may believe; what follows from it is to be known as such. */
export function taint({ tainted, findings }: AuditContext, { log, place }: Ref, why: string): void {
  tainted.add(whereOf(log, place))
  findings.add('abortedRead', () => `${whereOf(log, place)} ${why}`)
}
