import { setTimeout as sleep } from 'node:timers/promises'
import { beforeTime, type EventTime } from '../domain/operator.ts'
import { commit } from './commit.ts'
import type { Alignment, ControlEntry, ControlTable } from './control.ts'
import { isTidemarkError, tidemarkError } from './errors.ts'
import type { Kafka } from './kafka/client.ts'
import type { FetchAnswer, FetchedRecord, Fetcher } from './kafka/fetch.ts'
import type { Writer } from './kafka/writer.ts'
import type { Log } from './log.ts'
import { createMarks, type Marks } from './marks.ts'
import { restore } from './restore.ts'
import { createSignal, type Signal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec, writersOf } from './stage.ts'
import type { Store } from './store/store.ts'
import { createTurns, type Input, type Progress, type Turns, wakeKeysOf } from './turns.ts'
import type { Wire } from './wire.ts'

/** What all tasks of a process share. */
export interface TaskWorld {
  readonly kafka: Kafka
  /** For restores and end offsets; the loop has its own. */
  readonly reader: Fetcher
  readonly wire: Wire
  readonly control: ControlTable
  readonly controlTopic: string
  readonly topologyHash: string
  readonly instance: string
  readonly commitIntervalMs: number
  readonly log: Log
  openStore(stage: Stage, index: number): Promise<Store>
  committed(stage: Stage, records: number, durationMs: number): void
  fail(error: unknown): void
}

export interface TaskStatus {
  readonly stage: string
  readonly topic: string
  readonly partition: number
  readonly running: boolean
  readonly ended: boolean
  readonly lag: number
  readonly progress: Progress | undefined
}

/** One partition of one input: one store, one changelog partition, one transactional writer at a time. */
export interface Task {
  readonly address: TaskSpec
  /** The offset to fetch next, or undefined while the task wants nothing. */
  wants(): number | undefined
  /** An answer to a fetch from `requested`; stale ones are dropped. */
  offer(answer: FetchAnswer, requested: number): void
  /** Something outside has changed: control, alignment, or proof of membership after a fence. */
  nudge(): void
  status(): TaskStatus
  close(): Promise<void>
}

/** Records that may wait in memory, per task. */
const queueLimit = 2_000
/** Records per read: small enough that one read never delays a commit for long. */
const readLimit = 500
/** Records per commit. */
const commitLimit = 2_000
const maxCommitIntervalMs = 250
/** How much longer a commit may wait that writes positions and marks only. */
const lazyMs = 300

interface Session<In> {
  readonly writer: Writer
  readonly turns: Turns<In>
  readonly marks: Marks
  commitDueMs: number
  controlSaid: string
  controlAtMs: number
}

export function startTask<In>(
  stage: Stage<In>,
  address: TaskSpec,
  alignment: Alignment | undefined,
  world: TaskWorld,
): Task {
  const name = address.writer
  const input = inputOf(stage, address.topic)
  const log = world.log.child({ task: name })
  const changed: Signal = createSignal()
  let closing = false
  let session: Session<In> | undefined
  let queue: FetchedRecord[] = []
  let ready: Input<In>[] = []
  let fetchFrom: number | undefined
  let stableEnd: number | undefined
  let heardAtMs = performance.now()
  let smoothedMs = 5
  let front: EventTime = beforeTime

  async function open(store: Store): Promise<Session<In>> {
    const writer = await world.kafka.writer({ transactionalId: address.transactionalId })
    const changelog = { topic: stage.changelog.topic, partition: address.index }
    const { progress, replayed, rebuilt } = await restore(
      store,
      world.reader,
      world.wire,
      changelog,
      Date.now,
    )
    if (rebuilt) log.warn('the local store was not of this changelog and was rebuilt from it')
    log.debug({ replayed, position: progress.position }, 'restored')
    const turns = createTurns({
      writer: name,
      operator: stage.operator(address.topic),
      store,
      progress,
      wakeKeys: await wakeKeysOf(store),
      timekeepers: stage.timekeepers(input, address.partition),
      delayMs: stage.delayMs,
    })
    fetchFrom = progress.position
    return { writer, turns, marks: createMarks(stage, name), commitDueMs: 0, controlSaid: '', controlAtMs: 0 }
  }

  /** Reads what waits, applies it, and commits when it is due, until the task closes or something fails. */
  async function work(current: Session<In>, store: Store): Promise<void> {
    while (!closing) {
      const held = await applyReady(current)
      const now = performance.now()
      if (!current.turns.progress.ended && isAtEnd()) current.turns.end()
      if (needsCommit(current, held, now)) await commitNow(current, store)
      else if (queue.length === 0 || held) await changed.wait(waitMs(current, now))
    }
    if (current.turns.dirty) await commitNow(current, store)
  }

  /** Applies up to a commit's worth. True when alignment holds the next record back. */
  async function applyReady({ turns }: Session<In>): Promise<boolean> {
    if (ready.length === 0 && queue.length > 0) {
      const batch = queue.splice(0, readLimit)
      ready = await stage.read(batch)
    }
    let at = 0
    let held = false
    while (at < ready.length && turns.pending < commitLimit) {
      held = alignment !== undefined && timeOf(ready[at]!) > alignment.limit(name)
      if (held) break
      turns.apply(ready[at]!)
      at += 1
    }
    ready = ready.slice(at)
    if (held && !turns.dirty) reportFront(turns)
    if (at > 0) heardAtMs = performance.now()
    return held
  }

  /** A record without an event time waits for nobody. */
  function timeOf(next: Input<In>): EventTime {
    const time =
      next.kind === 'source' ? stage.eventTime?.(address.topic, next.record, next.place.timestamp) : undefined
    return time ?? beforeTime
  }

  /** Everything before the next record is committed, so the next record's time is how far this task is. */
  function reportFront(turns: Turns<In>): void {
    if (alignment === undefined) return
    const next = ready[0] === undefined ? beforeTime : timeOf(ready[0])
    front = Math.max(turns.progress.watermark, next)
    alignment.report(name, front, caughtUp() || turns.progress.ended)
  }

  function caughtUp(): boolean {
    const empty = queue.length === 0 && ready.length === 0
    return empty && stableEnd !== undefined && fetchFrom !== undefined && fetchFrom >= stableEnd
  }

  function isIdle(now: number): boolean {
    return input.source && caughtUp() && now - heardAtMs >= stage.idleMs
  }

  function isAtEnd(): boolean {
    if (queue.length > 0 || ready.length > 0 || fetchFrom === undefined) return false
    const end = world.control.endOf(address.topic, address.partition, writersOf(input, address.partition))
    return end !== undefined && fetchFrom >= end
  }

  function needsCommit(current: Session<In>, held: boolean, now: number): boolean {
    const { turns, marks } = current
    if (turns.progress.ended && current.controlSaid !== 'ended') return true
    if (turns.pending > 0 && (held || now >= current.commitDueMs || turns.pending >= commitLimit)) return true
    // What nobody waits for is committed with the next record, or after a while.
    const lazy = turns.dirty || marks.pending(turns.progress, isIdle(now))
    if (lazy && (held || now >= current.commitDueMs + lazyMs)) return true
    return controlDue(current, now)
  }

  /** Source tasks tell other processes how far they are, when there are any. */
  function controlDue(current: Session<In>, now: number): boolean {
    if (alignment === undefined || !alignment.remote) return false
    if (now - current.controlAtMs < 50) return false
    return current.controlSaid !== standing(false)
  }

  function standing(ended: boolean): string {
    return ended ? 'ended' : `${front}/${caughtUp()}`
  }

  async function controlEntry(current: Session<In>, now: number): Promise<ControlEntry | undefined> {
    const { turns } = current
    const announce = turns.progress.ended && !turns.dirty
    if (!announce && !controlDue(current, now)) return undefined
    current.controlSaid = standing(announce)
    current.controlAtMs = now
    const outputs = announce ? await outputEnds() : []
    return {
      writer: name,
      topic: address.topic,
      watermark: front,
      idle: caughtUp(),
      ended: announce,
      outputs,
    }
  }

  /** Where every partition that this task may have written to stands, after its last record. */
  async function outputEnds(): Promise<ControlEntry['outputs']> {
    const places = Object.values(stage.outputs).flatMap((output) =>
      output.by === 'own'
        ? [{ topic: output.topic, partition: address.partition }]
        : Array.from({ length: output.partitions }, (_, partition) => ({ topic: output.topic, partition })),
    )
    const ends = await world.reader.endOffsets(places, 'uncommitted')
    return places.map((place) => ({ ...place, offset: ends.get(`${place.topic}/${place.partition}`) ?? 0 }))
  }

  async function commitNow(current: Session<In>, store: Store): Promise<void> {
    const started = performance.now()
    const control = await controlEntry(current, started)
    const { turns, marks, writer } = current
    const records = turns.pending
    await commit(turns, {
      stage,
      address,
      topologyHash: world.topologyHash,
      controlTopic: world.controlTopic,
      wire: world.wire,
      writer,
      store,
      fetcher: world.reader,
      marks: marks.due(turns.progress, isIdle(started), started),
      control,
      runtime: { instance: world.instance, at: Date.now(), micros: 0 },
    })
    const ended = performance.now()
    smoothedMs = 0.8 * smoothedMs + 0.2 * (ended - started)
    // A busy broker answers later; waiting some times as long leaves it and the other tasks room.
    const interval = Math.min(maxCommitIntervalMs, Math.max(world.commitIntervalMs, 8 * smoothedMs))
    current.commitDueMs = ended + interval
    reportFront(turns)
    world.committed(stage, records, ended - started)
  }

  function waitMs({ turns, commitDueMs }: Session<In>, now: number): number {
    return turns.pending > 0 ? Math.max(1, commitDueMs - now) : 50
  }

  function forget(): void {
    session = undefined
    queue = []
    ready = []
    fetchFrom = undefined
    stableEnd = undefined
    alignment?.forget(name)
  }

  async function live(): Promise<void> {
    const store = await world.openStore(stage, address.index)
    try {
      while (!closing) {
        try {
          session = await open(store)
          reportFront(session.turns)
          await work(session, store)
        } catch (error) {
          if (isTidemarkError(error) && !isRetriable(error.code)) throw error
          if (!closing) await recover(error)
        } finally {
          await session?.writer.close().catch(() => {})
          forget()
        }
      }
    } finally {
      await store.close()
    }
  }

  async function recover(error: unknown): Promise<void> {
    const fenced = error instanceof Error && error.name === 'KafkaFenced'
    log.warn(
      { reason: error instanceof Error ? error.message : String(error) },
      fenced ? 'fenced' : 'starting again',
    )
    // A fenced task may have a new owner: only proof of membership, which nudges, lets it try again soon.
    if (fenced) await changed.wait(2_000)
    else await sleep(100)
  }

  const done = live().catch((error: unknown) => world.fail(error))

  return {
    address,
    wants: () => (queue.length >= queueLimit || session === undefined ? undefined : fetchFrom),
    offer(answer, requested) {
      if (session === undefined || requested !== fetchFrom) return
      if (answer.error === 'offset-out-of-range') return lost(answer)
      if (answer.error === 'undecodable') return skip(answer, requested)
      stableEnd = answer.lastStableOffset
      fetchFrom = Math.max(fetchFrom, answer.nextOffset)
      for (const record of answer.records) queue.push(record)
      // From now on the others wait for this task, until it has committed these records.
      if (answer.records.length > 0) alignment?.report(name, front, false)
      changed.raise()
    },
    nudge: () => changed.raise(),
    status() {
      const lag =
        stableEnd === undefined || fetchFrom === undefined
          ? 0
          : stableEnd - fetchFrom + queue.length + ready.length
      const progress = session?.turns.progress
      return {
        stage: stage.id,
        ...address,
        running: session !== undefined,
        ended: progress?.ended ?? false,
        lag,
        progress,
      }
    },
    async close() {
      closing = true
      changed.raise()
      await done
    },
  }

  /** A broken batch of a user topic becomes a dead letter with its coordinates; of our own, it stops the service. */
  function skip(answer: FetchAnswer, requested: number): void {
    const detail = `${name} at ${requested}: ${answer.detail ?? 'broken record batch'}`
    if (!input.source) {
      world.fail(tidemarkError('TM_INTERNAL_RECORD', detail))
      return
    }
    log.warn({ offset: requested }, 'a broken record batch was dead-lettered without its bytes')
    const { topic, partition } = address
    queue.push({
      topic,
      partition,
      offset: requested,
      timestamp: Date.now(),
      key: null,
      value: null,
      headers: {},
    })
    fetchFrom = answer.nextOffset
    changed.raise()
  }

  /** A position below the log's start is normal for a new task; for any other it is a loss that is said aloud. */
  function lost(answer: FetchAnswer): void {
    const isNew = session?.turns.progress.counts.in === 0
    if (isNew && fetchFrom === 0) fetchFrom = answer.logStart
    else
      world.fail(tidemarkError('TM_POSITION_LOST', `${name} at ${fetchFrom}, log start ${answer.logStart}`))
  }
}

function isRetriable(code: string): boolean {
  return code === 'TM_BROKER_AWAY' || code === 'TM_REGISTRY_AWAY'
}
