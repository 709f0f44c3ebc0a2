import { setImmediate as breath } from 'node:timers/promises'
import type { Announcer } from './announcer.ts'
import type { Changelog } from './changelog.ts'
import { commit } from './commit.ts'
import type { Intake } from './intake.ts'
import type { Writer } from './kafka/writer.ts'
import { createMarks } from './marks.ts'
import { createPace } from './pace.ts'
import { createQuietWriter, quietMark } from './quiet.ts'
import type { Signal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec, writersOf } from './stage.ts'
import type { Store } from './store/store.ts'
import type { Supply } from './supply.ts'
import type { TaskWorld } from './task.ts'
import type { Turns } from './turns.ts'

/** Records and bytes of input per commit. What they lead to goes in as many record batches as it takes. */
export const commitLimit = 2_000
const commitBytes = 1_000_000

/** A quiet task commits once more, to stand behind the markers too: retention may take them with its last records. */
const markersAfterMs = 60_000

/** Turns in a row before sockets and timers have theirs: heartbeats must go out however slow the turns are. */
const sliceMs = 100

export interface SessionOptions<In> {
  readonly stage: Stage<In>
  readonly task: TaskSpec
  readonly world: TaskWorld
  readonly writer: Writer
  readonly store: Store
  readonly changelog: Changelog
  readonly turns: Turns<In>
  readonly intake: Intake
  readonly supply: Supply<In>
  readonly announcer: Announcer
  /** Raised when records, control entries or other tasks' progress have come. */
  readonly changed: Signal
  /** Called after each commit. */
  committed(): void
}

/**
 * One life of a task, from its restore under one writer on: reads, applies and commits until `isClosing`.
 * Throws at the first doubt, and so may `isClosing`; what is in memory is then worth nothing.
 */
export async function work<In>(options: SessionOptions<In>, isClosing: () => boolean): Promise<void> {
  const { turns, intake, supply, changed } = options
  const { progress } = turns
  const { source } = inputOf(options.stage, options.task.topic)
  const clerk = createClerk(options)
  clerk.reach()
  while (!isClosing()) {
    const startedMs = performance.now()
    await supply.fill()
    if (source) turns.catchUp()
    clerk.heard(applyAll(turns, supply, clerk), startedMs)
    if (supply.size === 0) hearQuiet(options)
    if (!progress.ended && supply.size === 0 && intake.hasReached(endOfInput(options))) turns.end()
    const nowMs = performance.now()
    if (clerk.isDue(nowMs)) await clerk.commit(nowMs)
    else if (supply.isHeld || (supply.size === 0 && intake.waiting === 0))
      await changed.wait(clerk.waitMs(nowMs))
    else await breath()
  }
  if (turns.dirty) await clerk.commit(performance.now())
}

/** Applies what is ready, up to a commit's worth. */
function applyAll<In>(turns: Turns<In>, supply: Supply<In>, clerk: Clerk): number {
  let applied = 0
  const untilMs = performance.now() + sliceMs
  while (!clerk.isFull && (applied === 0 || performance.now() < untilMs)) {
    const input = supply.peek()
    if (input === undefined || !turns.prepare(input)) break
    turns.apply(input)
    supply.advance()
    applied += 1
  }
  return applied
}

/** Applies what a silent writer of a public topic has said of event time. */
function hearQuiet<In>({ stage, task, world, intake, turns }: SessionOptions<In>): void {
  const input = inputOf(stage, task.topic)
  const mark = quietMark<In>(input, task, world.control, intake, turns.progress)
  if (mark !== undefined && !turns.progress.ended && turns.prepare(mark)) turns.apply(mark)
}

/** Where a finite input ends, once all its writers have said so. */
function endOfInput<In>({ stage, task, world }: SessionOptions<In>): number | undefined {
  const writers = writersOf(inputOf(stage, task.topic), task.partition)
  return world.control.endOf(task.topic, task.partition, writers)
}

/** Decides when to commit, and commits. */
interface Clerk {
  /** Tells others how far the task is. */
  reach(): void
  heard(records: number, startedMs: number): void
  /** As much waits as one commit should hold. */
  readonly isFull: boolean
  isDue(nowMs: number): boolean
  waitMs(nowMs: number): number
  commit(startedMs: number): Promise<void>
}

function createClerk<In>(options: SessionOptions<In>): Clerk {
  const { stage, task, world, writer, store, changelog, turns, intake, supply, announcer } = options
  const { source } = inputOf(stage, task.topic)
  const { progress } = turns
  const marks = createMarks(stage, task.writer)
  const pace = createPace(world.commitIntervalMs)
  const quiet = createQuietWriter(stage, task, world.reader)
  let heardAtMs = performance.now()
  let applied = 0
  let busyMs = 0
  let inputs = 0
  let committedBytes = 0

  const isFull = () =>
    turns.full || inputs >= 2 * commitLimit || supply.readBytes - committedBytes >= commitBytes
  const isPassed = (nowMs: number) =>
    supply.size === 0 && intake.waiting === 0 && nowMs - heardAtMs > markersAfterMs
  const isCaughtUp = () => supply.size === 0 && intake.caughtUp
  const isIdle = (nowMs: number) => source && isCaughtUp() && nowMs - heardAtMs >= stage.idleMs
  const reachOf = () => ({ nextTime: supply.nextTime, isCaughtUp: isCaughtUp() })
  return {
    reach: () => announcer.reach(progress, reachOf()),
    heard(records, startedMs) {
      if (records > 0) {
        heardAtMs = performance.now()
        busyMs += heardAtMs - startedMs
        applied += records
        inputs += records
      }
      if (supply.isHeld && !turns.dirty) this.reach()
    },
    get isFull() {
      return isFull()
    },
    isDue(nowMs) {
      if (isFull() || announcer.due(progress, nowMs)) return true
      if (turns.pending > 0) return supply.isHeld || nowMs >= pace.dueMs
      if (quiet?.due(progress, nowMs)) return true
      // Others wait for what a held task has done.
      if (turns.dirty && supply.isHeld) return true
      if (isPassed(nowMs) && intake.next > progress.position) return true
      // What nobody waits for is committed with the next record, or after a while.
      return (turns.dirty || marks.pending(progress, isIdle(nowMs))) && nowMs >= pace.lazyDueMs
    },
    waitMs: (nowMs) => (turns.pending > 0 ? Math.max(1, pace.dueMs - nowMs) : 50),
    async commit(startedMs) {
      const records = turns.pending
      const control =
        records === 0 && quiet?.due(progress, startedMs)
          ? await quiet.entry(progress, startedMs)
          : await announcer.entry(progress, reachOf(), !turns.dirty, startedMs)
      if (records > 0) quiet?.wrote(startedMs)
      const micros = applied === 0 ? 0 : Math.round((1000 * busyMs) / applied)
      const runtime = { instance: world.instance, at: Date.now(), micros }
      applied = busyMs = inputs = 0
      if (isPassed(startedMs)) progress.position = Math.max(progress.position, intake.next)
      committedBytes = supply.readBytes
      // While wakes are due, records with an earlier watermark are still to come.
      const sent = source && turns.behind ? [] : marks.due(progress, isIdle(startedMs), startedMs)
      const place = { ...world, stage, task, changelog, writer, store }
      await commit(turns, { ...place, control, runtime, marks: sent })
      const endedMs = performance.now()
      pace.committed(startedMs, endedMs)
      this.reach()
      await turns.load()
      options.committed()
      world.committed(stage, records, endedMs - startedMs)
    },
  }
}
