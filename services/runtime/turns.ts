import {
  beforeTime,
  type Data,
  type Emission,
  type EventTime,
  endOfTime,
  type Operator,
  type Place,
  type RecordHeaders,
  type Turn,
  type Verdict,
  type Wake,
} from '../domain/operator.ts'
import { isTidemarkError, tidemarkError } from './errors.ts'
import { createMemory } from './memory.ts'
import type { Store } from './store/store.ts'
import { wakeKey, wakePrefix } from './wakes.ts'

/** Who wrote an internal record, and its place in that writer's order. */
export interface Origin {
  readonly writer: string
  /** Made once, when the writer's state began; a new one means that its state was lost. */
  readonly incarnation: number
  /** Offset of the input record that caused it, -1 for a wake. */
  readonly offset: number
  /** Strictly rising over the records of one writer and incarnation. */
  readonly index: number
  /** Event time of the wake that caused it, otherwise 0. */
  readonly time: EventTime
}

/** Of a writer that was heard of before any record of it. */
export const unknownIncarnation = 0

export interface Upstream {
  incarnation: number
  offset: number
  index: number
  watermark: EventTime
  idle: boolean
}

export interface Counts {
  in: number
  applied: number
  late: number
  duplicate: number
  deadLettered: number
}

/** Everything that a task must know to go on, besides its state: the content of a checkpoint. */
export interface Progress {
  /** The next offset of the input. */
  position: number
  watermark: EventTime
  upstreams: Map<string, Upstream>
  counts: Counts
  incarnation: number
  /** The index of the last record that this task wrote. */
  index: number
  ended: boolean
}

type Coordinates = Omit<Place, 'watermark'>

export type Input<In> =
  | { readonly kind: 'source'; readonly record: In; readonly place: Coordinates }
  | {
      readonly kind: 'internal'
      readonly record: In
      readonly place: Coordinates
      readonly origin: Origin
      readonly watermark: EventTime
    }
  | {
      readonly kind: 'mark'
      readonly place: Coordinates
      readonly origin: Origin
      readonly watermark: EventTime
      readonly idle: boolean
    }

/** A record to be written: the operator's value, stamped. */
export interface Outgoing {
  readonly output: string
  readonly key: string
  readonly value: Record<string, unknown>
  readonly headers?: RecordHeaders | undefined
}

export interface Frozen {
  readonly outgoing: readonly Outgoing[]
  readonly changes: ReadonlyMap<string, Data | undefined>
  /** Tells the memory what a changed value takes, once it is bytes. */
  weigh(key: string, sizeBytes: number): void
}

/** The turn-taking of one task over any store: the same code on the broker, in the driver and in backfill. */
export interface Turns<In> {
  readonly progress: Progress
  /**
   * Fires the wakes that are due before the turn of `input`. False when so much waits that it must be committed
   * first: call again then, with the same input. Where a commit falls between changes nothing of what is fired.
   */
  prepare(input: Input<In>): boolean
  /** Fires what the last turn has left, which only the records of a user's topic do. False as for `prepare`. */
  catchUp(): boolean
  /** One turn; it first fires what `prepare` was not asked to. */
  apply(input: Input<In>): Verdict | 'seen' | 'mark'
  /** The input has ended: event time goes to its end, and every wake fires. False as for `prepare`. */
  end(): boolean
  /** True while `catchUp` has something to fire. */
  readonly behind: boolean
  /** True when as much waits as one commit should hold. */
  readonly full: boolean
  /** True when there is something that a commit must write. */
  readonly dirty: boolean
  /** How many records wait to be written. */
  readonly pending: number
  /** What the next commit writes; the turns start a new generation. */
  freeze(): Frozen
}

export interface TurnsOptions<In> {
  /** `<stage>/<topic>/<partition>`. */
  readonly writer: string
  readonly operator: Operator<In>
  readonly store: Store
  readonly progress: Progress
  readonly wakeKeys: readonly string[]
  /** Whose watermarks make this task's: their minimum, or the latest that any record carries. Unused for user topics. */
  readonly timekeepers: readonly string[] | 'latest'
  /** How far the watermark of what this stage writes lags behind its own. */
  readonly delayMs: number
  /** Records that a commit should hold; at four times as many changes it is full as well. Default: no bound. */
  readonly limit?: number
  /** What values kept decoded may take, in bytes. Default: no bound. */
  readonly memoryBytes?: () => number
}

export function newProgress(incarnation: number): Progress {
  return {
    position: 0,
    watermark: beforeTime,
    upstreams: new Map(),
    counts: { in: 0, applied: 0, late: 0, duplicate: 0, deadLettered: 0 },
    incarnation,
    index: 0,
    ended: false,
  }
}

export function wakeKeysOf(store: Store): Promise<string[]> {
  return store.keys(wakePrefix)
}

export function createTurns<In>(options: TurnsOptions<In>): Turns<In> {
  const { operator, progress, writer, timekeepers, limit = Number.POSITIVE_INFINITY } = options
  const memory = createMemory(options.store, options.wakeKeys, options.memoryBytes)
  const outbox = createOutbox(options)
  const guard = createGuard(writer)
  let moved = false

  const isFull = () => outbox.size >= limit || memory.dirty >= 4 * limit

  function settle(turn: Turn, watermark: EventTime, offset: number, time: EventTime): void {
    memory.keep(turn)
    for (const emission of turn.emit ?? []) outbox.add(emission, watermark, offset, time)
  }

  /** Fires what is due at `target`; false when it stopped because a commit is full. */
  function fire(target: EventTime, isBounded: boolean): boolean {
    for (let due = memory.wakes.peek(target); due; due = memory.wakes.peek(target)) {
      if (isBounded && isFull()) return false
      const wake: Wake = due
      moved = true
      memory.wakes.drop()
      memory.forget(wakeKey(wake))
      const turn = guard.run('wake', wake.at, () => operator.wake?.(memory.state, wake, target))
      if (turn) settle(turn, Math.min(target, wake.at), -1, wake.at)
    }
    return true
  }

  /** Notes an upstream, and fires what its record or mark makes due. False when the record was seen before. */
  function follow(input: Internal): boolean {
    if (isSeen(progress, input, writer)) return false
    const target = watermarkWith(progress, timekeepers, input)
    fire(target, false)
    note(progress, input)
    progress.watermark = target
    return true
  }

  function apply(input: Input<In>): Verdict | 'seen' | 'mark' {
    guard.demandSound()
    if (input.kind === 'source') fire(progress.watermark, false)
    moved = true
    progress.position = input.place.offset + 1
    if (input.kind !== 'source') {
      if (!follow(input)) return 'seen'
      if (input.kind === 'mark') return 'mark'
    }
    const { topic, partition, offset, timestamp } = input.place
    const place = { topic, partition, offset, timestamp, watermark: progress.watermark }
    const turn = guard.run('offset', offset, () => operator.turn(memory.state, input.record, place))
    const watermark = Math.max(progress.watermark, turn.watermark ?? beforeTime)
    settle(turn, watermark, place.offset, 0)
    count(progress.counts, turn.verdict)
    if (input.kind === 'source') {
      progress.watermark = watermark
      fire(watermark, true)
    }
    return turn.verdict
  }

  return {
    progress,
    prepare(input) {
      guard.demandSound()
      if (memory.wakes.size === 0) return true
      if (input.kind === 'source') return fire(progress.watermark, true)
      return isSeen(progress, input, writer) || fire(watermarkWith(progress, timekeepers, input), true)
    },
    catchUp() {
      guard.demandSound()
      return fire(progress.watermark, true)
    },
    apply,
    end() {
      guard.demandSound()
      moved = true
      if (!fire(endOfTime, true)) return false
      progress.watermark = endOfTime
      progress.ended = true
      return true
    },
    get behind() {
      return memory.wakes.peek(progress.watermark) !== undefined
    },
    get full() {
      return isFull()
    },
    get dirty() {
      return moved
    },
    get pending() {
      return outbox.size
    },
    freeze() {
      guard.demandSound()
      moved = false
      return { outgoing: outbox.take(), changes: memory.take(), weigh: memory.weigh }
    },
  }
}

/** Operators may fail; after that the memory of their turns is worth nothing, and must not be written. */
function createGuard(writer: string) {
  let failure: unknown
  return {
    demandSound(): void {
      if (failure !== undefined) throw failure
    },
    run<T>(what: string, at: number, act: () => T): T {
      try {
        return act()
      } catch (error) {
        const code = isTidemarkError(error) ? error.code : 'TM_OPERATOR'
        const detail = `${writer} at ${what} ${at}: ${error instanceof Error ? error.message : error}`
        failure = tidemarkError(code, detail, error)
        throw failure
      }
    },
  }
}

/** The watermark that a stage's outputs carry: its own, less the delay, and never before all time. */
export function carriedWatermark(watermark: EventTime, delayMs: number): EventTime {
  return Math.max(beforeTime, watermark - delayMs)
}

/** What waits to be written, each record stamped with its place in this writer's order. */
function createOutbox({
  writer,
  progress,
  delayMs,
}: Pick<TurnsOptions<unknown>, 'writer' | 'progress' | 'delayMs'>) {
  let waiting: Outgoing[] = []
  return {
    add({ to, key, value, headers }: Emission, watermark: EventTime, offset: number, time: EventTime): void {
      progress.index += 1
      const origin = { writer, incarnation: progress.incarnation, offset, index: progress.index, time }
      const carried = carriedWatermark(watermark, delayMs)
      waiting.push({ output: to, key, value: { ...value, watermark: carried, origin }, headers })
    },
    get size() {
      return waiting.length
    },
    take(): readonly Outgoing[] {
      const taken = waiting
      waiting = []
      return taken
    },
  }
}

type Internal = Exclude<Input<unknown>, { kind: 'source' }>

/** True when a record was seen before. A reset upstream is a coded stop. */
function isSeen(progress: Progress, input: Internal, writer: string): boolean {
  const { origin } = input
  const last = progress.upstreams.get(origin.writer)
  if (last === undefined) return false
  if (origin.incarnation === last.incarnation) return input.kind === 'internal' && origin.index <= last.index
  if (last.incarnation === unknownIncarnation) return false
  throw tidemarkError(
    'TM_UPSTREAM_RESET',
    `${origin.writer}, seen by ${writer} at offset ${input.place.offset}`,
  )
}

/** Notes where the writer of a record or mark stands after it. */
function note({ upstreams }: Progress, input: Internal): void {
  const { origin, watermark } = input
  const { incarnation, offset, index } = origin
  const idle = input.kind === 'mark' && input.idle
  const last = upstreams.get(origin.writer)
  if (last === undefined) {
    upstreams.set(origin.writer, {
      incarnation,
      offset,
      index,
      watermark: Math.max(beforeTime, watermark),
      idle,
    })
    return
  }
  last.index = incarnation === last.incarnation ? Math.max(last.index, index) : index
  last.incarnation = incarnation
  last.offset = offset
  last.watermark = Math.max(last.watermark, watermark)
  last.idle = idle
}

/** The task's watermark once a record or mark has been noted. */
function watermarkWith(
  progress: Progress,
  timekeepers: readonly string[] | 'latest',
  input: Internal,
): EventTime {
  const { origin, watermark } = input
  if (timekeepers === 'latest') return Math.max(progress.watermark, watermark)
  const idle = input.kind === 'mark' && input.idle
  const last = progress.upstreams.get(origin.writer)
  // Almost every record says of time what the one before it said.
  if (last !== undefined && watermark <= last.watermark && !idle && !last.idle) return progress.watermark
  const low = lowest(progress, timekeepers, origin.writer, {
    watermark: Math.max(last?.watermark ?? beforeTime, watermark),
    idle,
  })
  return Math.max(progress.watermark, low ?? beforeTime)
}

/**
 * The minimum over the upstreams that are not idle, when one of them stands elsewhere; undefined while one of them
 * has not spoken yet, and when all are idle.
 */
function lowest(
  { upstreams }: Progress,
  names: readonly string[],
  moved: string,
  standing: Pick<Upstream, 'watermark' | 'idle'>,
): EventTime | undefined {
  let low = endOfTime
  let active = 0
  for (const name of names) {
    const upstream = name === moved ? standing : upstreams.get(name)
    if (upstream === undefined) return undefined
    if (upstream.idle) continue
    active += 1
    if (upstream.watermark < low) low = upstream.watermark
  }
  return active === 0 ? undefined : low
}

function count(counts: Counts, verdict: Verdict): void {
  counts.in += 1
  if (verdict === 'applied') counts.applied += 1
  else if (verdict === 'late') counts.late += 1
  else if (verdict === 'duplicate') counts.duplicate += 1
  else counts.deadLettered += 1
}
