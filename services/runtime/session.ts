import { beforeTime, type EventTime } from '../domain/operator.ts'
import { type Announcer, createAnnouncer } from './announcer.ts'
import { commit } from './commit.ts'
import type { Alignment } from './control.ts'
import type { Intake } from './intake.ts'
import type { Writer } from './kafka/writer.ts'
import { createMarks } from './marks.ts'
import { createPace } from './pace.ts'
import type { Signal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec, writersOf } from './stage.ts'
import type { Store } from './store/store.ts'
import type { TaskWorld } from './task.ts'
import type { Input, Turns } from './turns.ts'

/** Records per read: small enough that one read never delays a commit for long. */
const readLimit = 500
/** Records per commit. */
const commitLimit = 2_000

export interface SessionOptions<In> {
  readonly stage: Stage<In>
  readonly task: TaskSpec
  readonly world: TaskWorld
  readonly alignment: Alignment | undefined
  readonly writer: Writer
  readonly store: Store
  readonly turns: Turns<In>
  readonly intake: Intake
  /** Raised when records, control entries or other tasks' progress have come. */
  readonly changed: Signal
}

/** One life of a task: from the restore under one writer until it closes or anything fails. */
export interface Session {
  readonly announcer: Announcer
  readonly lag: number
  /** Reads, applies and commits until `isClosing`. Throws at the first doubt; the memory is then worth nothing. */
  work(isClosing: () => boolean): Promise<void>
}

export function createSession<In>(options: SessionOptions<In>): Session {
  const { stage, task, world, alignment, writer, store, turns, intake, changed } = options
  const input = inputOf(stage, task.topic)
  const announcer = createAnnouncer(stage, task, alignment, world.reader)
  const marks = createMarks(stage, task.writer)
  const pace = createPace(world.commitIntervalMs)
  const { progress } = turns
  let ready: Input<In>[] = []
  let heardAtMs = performance.now()

  async function work(isClosing: () => boolean): Promise<void> {
    reach()
    while (!isClosing()) {
      const held = await applyReady()
      const nowMs = performance.now()
      if (!progress.ended && ready.length === 0 && intake.hasReached(endOfInput())) turns.end()
      if (isCommitDue(held, nowMs)) await commitNow(nowMs)
      else if (intake.waiting === 0 || held) await changed.wait(waitMs(nowMs))
    }
    if (turns.dirty) await commitNow(performance.now())
  }

  /** Applies up to a commit's worth. True when alignment holds the next record back. */
  async function applyReady(): Promise<boolean> {
    if (ready.length === 0 && intake.waiting > 0) ready = await stage.read(intake.take(readLimit))
    let at = 0
    let held = false
    while (at < ready.length && turns.pending < commitLimit) {
      held = alignment !== undefined && (timeOf(ready[at]!) ?? beforeTime) > alignment.limit(task.writer)
      if (held) break
      turns.apply(ready[at]!)
      at += 1
    }
    ready = ready.slice(at)
    if (at > 0) heardAtMs = performance.now()
    if (held && !turns.dirty) reach()
    return held
  }

  /** A record that will not be accepted has no time, and waits for nobody. */
  function timeOf(next: Input<In>): EventTime | undefined {
    return next.kind === 'source'
      ? stage.eventTime?.(task.topic, next.record, next.place.timestamp)
      : undefined
  }

  function reach(): void {
    const next = ready[0] === undefined ? undefined : timeOf(ready[0])
    announcer.reach(progress, next, isCaughtUp())
  }

  function isCaughtUp(): boolean {
    return ready.length === 0 && intake.caughtUp
  }

  function isIdle(nowMs: number): boolean {
    return input.source && isCaughtUp() && nowMs - heardAtMs >= stage.idleMs
  }

  function endOfInput(): number | undefined {
    return world.control.endOf(task.topic, task.partition, writersOf(input, task.partition))
  }

  function isCommitDue(held: boolean, nowMs: number): boolean {
    if (turns.pending >= commitLimit || announcer.due(progress, nowMs)) return true
    if (turns.pending > 0) return held || nowMs >= pace.dueMs
    // What nobody waits for is committed with the next record, or after a while.
    return (turns.dirty || marks.pending(progress, isIdle(nowMs))) && (held || nowMs >= pace.lazyDueMs)
  }

  function waitMs(nowMs: number): number {
    return turns.pending > 0 ? Math.max(1, pace.dueMs - nowMs) : 50
  }

  async function commitNow(startedMs: number): Promise<void> {
    const control = await announcer.entry(progress, !turns.dirty, startedMs)
    const records = turns.pending
    await commit(turns, {
      stage,
      task,
      topologyHash: world.topologyHash,
      controlTopic: world.controlTopic,
      wire: world.wire,
      writer,
      store,
      marks: marks.due(progress, isIdle(startedMs), startedMs),
      control,
      runtime: { instance: world.instance, at: Date.now(), micros: 0 },
    })
    const endedMs = performance.now()
    pace.committed(startedMs, endedMs)
    reach()
    world.committed(stage, records, endedMs - startedMs)
  }

  return {
    announcer,
    get lag() {
      return intake.lag + ready.length
    },
    work,
  }
}
