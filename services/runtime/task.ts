import { type Announcer, createAnnouncer } from './announcer.ts'
import { type Changelog, createChangelog, fenceKey } from './changelog.ts'
import type { Alignment, ControlTable } from './control.ts'
import { createIntake, type Intake } from './intake.ts'
import type { Guarantee, Kafka } from './kafka/client.ts'
import type { FetchAnswer, Fetcher } from './kafka/fetch.ts'
import type { Writer } from './kafka/writer.ts'
import type { Log } from './log.ts'
import { storedWakes } from './memory.ts'
import { createRecovery, damagedText } from './recovery.ts'
import { restore } from './restore.ts'
import { type Scrub, startScrub } from './scrub.ts'
import { commitLimit, work } from './session.ts'
import { createSignal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec } from './stage.ts'
import type { Store } from './store/store.ts'
import { createSupply } from './supply.ts'
import { createTurns, type Progress, type Turns } from './turns.ts'
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
  readonly guarantee: Guarantee
  /** What the values that a task keeps decoded may take. */
  readonly memoryBytes: () => number
  /** How often a store is checked while it is in use. */
  readonly scrubIntervalMs: number
  readonly log: Log
  openStore(stage: Stage, task: TaskSpec): Promise<Store>
  committed(stage: Stage, records: number, durationMs: number): void
  recovering(stage: Stage, kind: string): void
  fail(error: unknown): void
}

export interface TaskStatus {
  readonly stage: string
  readonly topic: string
  readonly partition: number
  readonly running: boolean
  readonly ended: boolean
  readonly lag: number
  /** Offsets of the changelog that a restore has still to read; zero when none is under way. */
  readonly restoring: number
  readonly progress: Progress | undefined
}

/** One partition of one input: one store, one changelog partition, one transactional writer at a time. */
export interface Task {
  readonly address: { readonly topic: string; readonly partition: number }
  /** The offset to fetch next, or undefined while the task wants nothing. */
  wants(): number | undefined
  /** An answer to a fetch from `requested`; stale ones are dropped. */
  offer(answer: FetchAnswer, requested: number): void
  /** Control entries or other tasks' progress have changed. */
  nudge(): void
  /** The coordinator has confirmed that this process is a member: a fenced task may try again. */
  confirm(): void
  status(): TaskStatus
  close(): Promise<void>
}

interface Life {
  readonly progress: Progress
  readonly intake: Intake
  readonly supply: { readonly size: number }
  readonly announcer: Announcer
}

/**
 * Keeps a task alive: opens its store once, and then, again and again, fences with a new writer, restores, and
 * works until something fails. Everything that a failed life held in memory is dropped; the changelog says what
 * happened. A coded error that trying again cannot cure ends the service.
 */
export function startTask<In>(
  stage: Stage<In>,
  spec: TaskSpec,
  alignment: Alignment | undefined,
  world: TaskWorld,
): Task {
  const log = world.log.child({ task: spec.writer })
  const changed = createSignal()
  const confirmed = createSignal()
  let closing = false
  let life: Life | undefined
  let restoring = 0
  const isClosing = () => closing
  const leftIs = (left: number) => (restoring = left)
  const counted = (kind: string) => world.recovering(stage, kind)
  const recovery = createRecovery({ log, confirmed, isClosing, counted })

  async function live(store: Store, scrub: Scrub): Promise<void> {
    if (recovery.hasSlept) await store.clear()
    const writer = await openWriter(stage, spec, world)
    try {
      const changelog = createChangelog(world.wire, stage.changelog.topic)
      const turns = await restoreTurns(stage, spec, store, changelog, world, log, { isClosing, leftIs })
      recovery.restored()
      const { progress } = turns
      const intake = intakeOf(stage, spec, progress, world, log)
      const supply = createSupply({ stage, task: spec, intake, alignment, log })
      const announcer = createAnnouncer(stage, spec, alignment, world.reader)
      life = { progress, intake, supply, announcer }
      const session = { stage, task: spec, world, writer, store, changelog, turns }
      await work({ ...session, intake, supply, announcer, changed, committed: recovery.unhurt }, () => {
        scrub.demandSound()
        return closing
      })
    } finally {
      life = undefined
      restoring = 0
      alignment?.forget(spec.writer)
      await writer.close().catch(() => {})
    }
  }

  async function run(): Promise<void> {
    const store = await world.openStore(stage, spec)
    if (store.damage !== undefined) log.warn({ damage: store.damage }, damagedText)
    const scrub = startScrub(store, world.scrubIntervalMs, changed.raise)
    try {
      while (!closing) await live(store, scrub).catch((error: unknown) => recovery.recover(store, error))
    } finally {
      scrub.stop()
      await store.close()
    }
  }

  const done = run().catch((error: unknown) => world.fail(error))

  return {
    address: spec,
    wants: () => life?.intake.wants(),
    offer(answer, requested) {
      if (!life?.intake.offer(answer, requested)) return
      life.announcer.busy()
      changed.raise()
    },
    nudge: changed.raise,
    confirm: confirmed.raise,
    status: () => statusOf(stage, spec, life, restoring),
    async close() {
      closing = true
      changed.raise()
      confirmed.raise()
      await done
    },
  }
}

function statusOf(
  { id }: Stage,
  { topic, partition }: TaskSpec,
  life: Life | undefined,
  restoring: number,
): TaskStatus {
  const lag = life === undefined ? 0 : life.intake.lag + life.supply.size
  const ended = life?.progress.ended ?? false
  const running = life !== undefined
  return { stage: id, topic, partition, running, ended, lag, restoring, progress: life?.progress }
}

function intakeOf<In>(
  stage: Stage<In>,
  spec: TaskSpec,
  progress: Progress,
  world: TaskWorld,
  log: Log,
): Intake {
  return createIntake({
    input: inputOf(stage, spec.topic),
    partition: spec.partition,
    position: progress.position,
    isNew: progress.position === 0,
    fail: world.fail,
    onBroken: (offset) => log.warn({ offset }, 'a broken record batch was dead-lettered without its bytes'),
  })
}

/**
 * From here on earlier writers of this task are refused: those with transactions by the coordinator, and those without
 * by the partition of the changelog, once it has seen a record of their successor.
 */
async function openWriter(stage: Stage, spec: TaskSpec, { kafka, guarantee }: TaskWorld): Promise<Writer> {
  const writer = await kafka.writer({ transactionalId: spec.transactionalId, guarantee })
  try {
    const records = [{ key: Buffer.from(fenceKey), value: null }]
    await writer.commit([], { topic: stage.changelog.topic, partition: spec.index, records })
    return writer
  } catch (error) {
    await writer.close().catch(() => {})
    throw error
  }
}

/** After the fence, so that nothing of a predecessor can still arrive behind what is restored. */
async function restoreTurns<In>(
  stage: Stage<In>,
  spec: TaskSpec,
  store: Store,
  changelog: Changelog,
  world: TaskWorld,
  log: Log,
  { isClosing, leftIs }: { isClosing(): boolean; leftIs(left: number): unknown },
): Promise<Turns<In>> {
  const place = { topic: stage.changelog.topic, partition: spec.index }
  const startedMs = performance.now()
  let saidMs = startedMs
  const { progress, replayed, rebuilt } = await restore({
    ...{ store, fetcher: world.reader, changelog, place },
    now: Date.now,
    isClosing,
    onProgress(replayed, left) {
      leftIs(left)
      if (performance.now() - saidMs < 5_000) return
      saidMs = performance.now()
      log.info({ replayed, left }, 'restoring')
    },
  })
  if (rebuilt) log.warn('the local store was not of this changelog and was rebuilt from it')
  const tookMs = Math.round(performance.now() - startedMs)
  log.info({ replayed, rebuilt, tookMs, position: progress.position }, 'restored')
  return createTurns({
    writer: spec.writer,
    operator: stage.operator(spec.topic),
    store,
    progress,
    wakeKeys: await storedWakes(store),
    timekeepers: stage.timekeepers(inputOf(stage, spec.topic), spec.partition),
    delayMs: stage.delayMs,
    limit: commitLimit,
    memoryBytes: world.memoryBytes,
  })
}
