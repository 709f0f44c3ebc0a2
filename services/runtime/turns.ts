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
import { createMemory, type Memory, type StoredWakes } from './memory.ts'
import type { Store } from './store/store.ts'
import { isSeen, note, type Upstream, watermarkWith } from './upstreams.ts'
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
   * first, or when more wakes have to be loaded: commit, `load`, and call again with the same input. Where a commit falls between changes nothing of what is fired.
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
  /** True when as much waits as one commit should hold, or wakes have to be loaded behind a commit. */
  readonly full: boolean
  /** True when there is something that a commit must write. */
  readonly dirty: boolean
  /** How many records wait to be written. */
  readonly pending: number
  /** What the next commit writes; the turns start a new generation. */
  freeze(): Frozen
  /** Loads the wakes that `prepare`, `catchUp` or `end` stopped for; everything must be committed. */
  load(): Promise<void>
}

export interface TurnsOptions<In> {
  /** `<stage>/<topic>/<partition>`. */
  readonly writer: string
  readonly operator: Operator<In>
  readonly store: Store
  readonly progress: Progress
  /** All wakes that are set, or the earliest of those in the store: the others are loaded when their time comes. */
  readonly wakeKeys: readonly string[] | StoredWakes
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
  const { operator, progress, writer, timekeepers } = options
  const memory = createMemory(options.store, options.wakeKeys, options.memoryBytes)
  const outbox = createOutbox(options)
  const guard = createGuard(writer)
  const { settle, fire, isFull, load } = createEffects(options, memory, outbox, guard)
  const follow = createFollower(options, fire)
  let moved = false

  function apply(input: Input<In>): Verdict | 'seen' | 'mark' {
    guard.demandSound()
    moved = true
    progress.position = input.place.offset + 1
    if (!follow(input)) return 'seen'
    if (input.kind === 'mark') return 'mark'
    const { topic, partition, offset, timestamp } = input.place
    const place = { topic, partition, offset, timestamp, watermark: progress.watermark }
    const turn = guard.run('offset', offset, () => {
      const made = operator.turn(memory.state, input.record, place)
      settle(made, Math.max(progress.watermark, made.watermark ?? beforeTime), offset, 0)
      return made
    })
    count(progress.counts, turn.verdict)
    if (input.kind === 'source') {
      progress.watermark = Math.max(progress.watermark, turn.watermark ?? beforeTime)
      fire(progress.watermark, isFull)
    }
    return turn.verdict
  }

  return {
    ...{ progress, apply, load },
    prepare(input) {
      guard.demandSound()
      if (memory.wakes.size === 0 && memory.wakes.farAt === undefined) return true
      if (input.kind === 'source') return fire(progress.watermark, isFull)
      return isSeen(progress, input, writer) || fire(watermarkWith(progress, timekeepers, input), isFull)
    },
    catchUp() {
      guard.demandSound()
      return fire(progress.watermark, isFull)
    },
    end() {
      guard.demandSound()
      moved = true
      if (!fire(endOfTime, isFull)) return false
      progress.watermark = endOfTime
      progress.ended = true
      return true
    },
    get behind() {
      const { farAt = Number.POSITIVE_INFINITY } = memory.wakes
      return farAt <= progress.watermark || memory.wakes.peek(progress.watermark) !== undefined
    },
    get full() {
      return isFull()
    },
    get dirty() {
      return moved || memory.dirty > 0
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

/** Fires what is due before a turn, and notes the upstream of its record. False when the record was seen before. */
function createFollower<In>(
  { progress, timekeepers, writer }: TurnsOptions<In>,
  fire: (target: EventTime) => boolean,
) {
  return (input: Input<In>): boolean => {
    if (input.kind === 'source') return fire(progress.watermark)
    if (isSeen(progress, input, writer)) return false
    const target = watermarkWith(progress, timekeepers, input)
    fire(target)
    note(progress, input)
    progress.watermark = target
    return true
  }
}

/** What turns and wakes lead to, and when wakes are called. */
function createEffects<In>(
  { operator, limit = Number.POSITIVE_INFINITY }: TurnsOptions<In>,
  memory: Memory,
  outbox: Outbox,
  guard: Guard,
) {
  const settle = (turn: Turn, watermark: EventTime, offset: number, time: EventTime): void => {
    memory.keep(turn)
    for (const emission of turn.emit ?? []) outbox.add(emission, watermark, offset, time)
  }
  let isShort = false
  return {
    settle,
    isFull: () => isShort || outbox.size >= limit || memory.dirty >= 4 * limit,
    /** Fires what is due at `target`; false when it stopped because a commit is full, or wakes have to be loaded. */
    fire(target: EventTime, isFull: () => boolean = () => false): boolean {
      for (let due = memory.wakes.peek(target); due; due = memory.wakes.peek(target)) {
        if (isFull()) return false
        const wake: Wake = due
        memory.wakes.drop()
        memory.forget(wakeKey(wake))
        guard.run('wake', wake.at, () => {
          const turn = operator.wake?.(memory.state, wake, target)
          if (turn) settle(turn, Math.min(target, wake.at), -1, wake.at)
        })
      }
      isShort = memory.wakes.farAt !== undefined && memory.wakes.farAt <= target
      return !isShort
    },
    async load(): Promise<void> {
      if (isShort) await memory.loadWakes()
      isShort = false
    },
  }
}

/** Operators may fail; after that the memory of their turns is worth nothing, and must not be written. */
type Guard = ReturnType<typeof createGuard>

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

type Outbox = ReturnType<typeof createOutbox>

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

function count(counts: Counts, verdict: Verdict): void {
  counts.in += 1
  if (verdict === 'applied') counts.applied += 1
  else if (verdict === 'late') counts.late += 1
  else if (verdict === 'duplicate') counts.duplicate += 1
  else counts.deadLettered += 1
}
