import { type Plan, stagesOf } from '../../../topologies/plan.ts'
import type { Decoder } from './avro.ts'
import { createColumn } from './column.ts'
import type { Findings } from './findings.ts'
import type { PartitionLog, RecordSource } from './source.ts'

export interface Checkpoint {
  readonly position: number
  readonly watermark: number
  readonly upstreams: readonly { readonly writer: string; readonly index: number }[]
  readonly incarnation: number
  readonly index: number
  readonly counts: Readonly<Record<'in' | 'applied' | 'late' | 'duplicate' | 'deadLettered', number>>
  readonly ended: boolean
}

/** What the changelog says of a task. */
export interface Checkpoints {
  readonly last: Checkpoint | undefined
  /** Whether some commit ended with this index. */
  isEnd(index: number): boolean
  /** Whether some commit ended within these indexes, both ends included. */
  hasEndWithin(from: number, to: number): boolean
}

const checkpointKey = '~checkpoint'
/** Written on its own by whoever takes a task over. */
const fenceKey = '~fence'

/** Reads every changelog; the checkpoint closes a transaction, so whatever is behind the last one is torn. */
export function readCheckpoints(
  plan: Plan,
  source: RecordSource,
  decoder: Decoder,
  findings: Findings,
): Map<string, Checkpoints> {
  const found = new Map<string, Checkpoints>()
  for (const { name, changelog, tasks } of stagesOf(plan)) {
    const logs = new Map(source.partitions(changelog.topic).map((log) => [log.partition, log]))
    for (const { index, writer } of tasks)
      found.set(writer, readOne(logs.get(index), stayingKeys(name), decoder, findings))
  }
  return found
}

/** What a task may still know when its input has ended and all event time is over; all else is due to be gone. */
function stayingKeys(stage: string): RegExp {
  if (stage.startsWith('entity-')) return /^first$/
  return stage === 'verdict' ? /^(span$|forgotten$|alert\/)/ : /^$/
}

function readOne(
  log: PartitionLog | undefined,
  staying: RegExp,
  decoder: Decoder,
  findings: Findings,
): Checkpoints {
  let last: Checkpoint | undefined
  let open = 0
  // Keys that have a value: the state as its changelog has it.
  const live = new Set<string>()
  const ends = createColumn()
  for (let place = 0; place < (log?.size ?? 0); place++) {
    const { key, value, offset } = log!.at(place)
    const name = key?.toString()
    if (name !== checkpointKey || value === null) {
      if (name !== fenceKey) open += 1
      if (value === null) live.delete(name ?? '')
      else live.add(name ?? '')
      continue
    }
    const checkpoint = decoder.own(value)['checkpoint'] as Checkpoint | null
    if (checkpoint === null) continue
    checkOrder(last, checkpoint, `${log!.topic}/${log!.partition} at ${offset}`, findings)
    ends.push(checkpoint.index)
    last = checkpoint
    open = 0
  }
  if (open > 0) {
    findings.add(
      'torn',
      () => `${log!.topic}/${log!.partition}: ${open} entries without their checkpoint`,
      open,
    )
  }
  if (last?.ended) {
    for (const key of live) {
      if (staying.test(key)) continue
      findings.add(
        'lost',
        () => `${log!.topic}/${log!.partition}: nothing has cleared ${JSON.stringify(key)}`,
      )
    }
  }
  const known = ends.taken()
  const set = new Set(known)
  return {
    last,
    isEnd: (index) => index === 0 || set.has(index),
    hasEndWithin: (from, to) => known.some((index) => index >= from && index <= to),
  }
}

/** A task only ever goes forward, and has one life. */
function checkOrder(
  before: Checkpoint | undefined,
  now: Checkpoint,
  where: string,
  findings: Findings,
): void {
  if (before === undefined) return
  if (now.incarnation !== before.incarnation) {
    findings.add('lost', () => `${where}: the state of incarnation ${before.incarnation} was begun anew`)
    return
  }
  if (now.position < before.position || now.index < before.index) {
    findings.add('duplicated', () => {
      return `${where}: went back from position ${before.position}, index ${before.index} to ${now.position}, ${now.index}`
    })
  }
  const { counts } = now
  const fates = counts.applied + counts.late + counts.duplicate + counts.deadLettered
  if (counts.in !== fates)
    findings.add('wrongValues', () => `${where}: read ${counts.in}, but has ${fates} fates`)
}
