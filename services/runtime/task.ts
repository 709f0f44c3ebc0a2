import { setTimeout as sleep } from 'node:timers/promises'
import { type Announcer, createAnnouncer } from './announcer.ts'
import { type Changelog, createChangelog, fenceKey } from './changelog.ts'
import type { Alignment, ControlTable } from './control.ts'
import { errorTable, isTidemarkError, tidemarkError } from './errors.ts'
import { createIntake, type Intake } from './intake.ts'
import type { Guarantee, Kafka } from './kafka/client.ts'
import { KafkaFenced, KafkaRefused } from './kafka/failures.ts'
import type { FetchAnswer, Fetcher } from './kafka/fetch.ts'
import type { Writer } from './kafka/writer.ts'
import type { Log } from './log.ts'
import { restore } from './restore.ts'
import { commitLimit, work } from './session.ts'
import { createSignal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec } from './stage.ts'
import type { Store } from './store/store.ts'
import { createSupply } from './supply.ts'
import { createTurns, type Progress, type Turns, wakeKeysOf } from './turns.ts'
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
  let damage: string | undefined
  /** Failures since the last commit, and when that was. */
  let failures = 0
  let aliveMs = Date.now()
  let life: Life | undefined

  function unhurt(): void {
    failures = 0
    aliveMs = Date.now()
  }

  async function live(store: Store): Promise<void> {
    // After a long sleep the changelog may have lost tombstones that this store has not seen.
    if (Date.now() - aliveMs > longestSleepMs) await store.clear()
    const writer = await openWriter(stage, spec, world)
    try {
      const changelog = createChangelog(world.wire, stage.changelog.topic)
      const turns = await restoreTurns(stage, spec, store, changelog, world, log)
      const { progress } = turns
      const intake = intakeOf(stage, spec, progress, world, log)
      const supply = createSupply(stage, spec, intake, alignment)
      const announcer = createAnnouncer(stage, spec, alignment, world.reader)
      life = { progress, intake, supply, announcer }
      const session = { stage, task: spec, world, writer, store, changelog, turns }
      await work({ ...session, intake, supply, announcer, changed, committed: unhurt }, () => {
        if (damage !== undefined) throw tidemarkError('TM_STORE_DAMAGED', damage)
        return closing
      })
    } finally {
      life = undefined
      alignment?.forget(spec.writer)
      await writer.close().catch(() => {})
    }
  }

  async function run(): Promise<void> {
    const store = await world.openStore(stage, spec)
    if (store.damage !== undefined) log.warn({ damage: store.damage }, damagedText)
    const scrub = setInterval(() => void scrubbed(store), world.scrubIntervalMs)
    try {
      while (!closing) await live(store).catch((error: unknown) => recover(store, error))
    } finally {
      clearInterval(scrub)
      await store.close()
    }
  }

  async function scrubbed(store: Store): Promise<void> {
    damage ??= await store.check().catch(String)
    if (damage !== undefined) changed.raise()
  }

  async function recover(store: Store, error: unknown): Promise<void> {
    const verdict = verdictOf(error)
    if (verdict instanceof Error) throw verdict
    if (closing) return
    const reason = error instanceof Error ? error.message : String(error)
    if (verdict === 'damaged') {
      log.warn({ damage: reason }, damagedText)
      damage = undefined
      await store.clear()
      return
    }
    log.warn({ reason }, verdict === 'fenced' ? 'fenced' : 'starting again')
    // A fenced task may have a new owner: it tries again only as a confirmed member that still has the task.
    if (verdict === 'fenced') while (!closing && !(await confirmed.wait(10_000)));
    failures += 1
    await pause(verdict === 'refused' ? 1_000 : firstPauseMs * 2 ** Math.min(failures - 1, 10))
  }

  /** Longer from one failure to the next; a task that is closed does not wait. */
  async function pause(pauseMs: number): Promise<void> {
    const endMs = performance.now() + Math.min(pauseMs, longestPauseMs)
    for (let left = endMs - performance.now(); left > 0 && !closing; left = endMs - performance.now())
      await sleep(Math.min(left, 100))
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
    status: () => statusOf(stage, spec, life),
    async close() {
      closing = true
      changed.raise()
      confirmed.raise()
      await done
    },
  }
}

function statusOf({ id }: Stage, { topic, partition }: TaskSpec, life: Life | undefined): TaskStatus {
  const lag = life === undefined ? 0 : life.intake.lag + life.supply.size
  const ended = life?.progress.ended ?? false
  return { stage: id, topic, partition, running: life !== undefined, ended, lag, progress: life?.progress }
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

const firstPauseMs = 100
const longestPauseMs = 5_000
/** Well below the day for which a changelog keeps tombstones. */
const longestSleepMs = 12 * 3_600_000

const damagedText = 'the local store was damaged and is rebuilt'

/** Kafka's names for records that it would refuse again and again. */
const hopeless = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
])

/** What an error of a task's life leads to: the coded error that ends the service, or a way to go on. */
function verdictOf(error: unknown): Error | 'damaged' | 'fenced' | 'refused' | 'again' {
  if (isTidemarkError(error)) {
    if (error.code === 'TM_STORE_DAMAGED') return 'damaged'
    return errorTable[error.code].retriable ? 'again' : error
  }
  if (error instanceof KafkaFenced) return 'fenced'
  if (!(error instanceof KafkaRefused)) return 'again'
  return hopeless.has(error.reason) ? tidemarkError('TM_REFUSED', error.message, error) : 'refused'
}

/** From here on earlier writers of this task are refused. */
async function openWriter(stage: Stage, spec: TaskSpec, { kafka, guarantee }: TaskWorld): Promise<Writer> {
  const writer = await kafka.writer({ transactionalId: spec.transactionalId, guarantee })
  if (guarantee === 'exactly-once') return writer
  try {
    // Without transactions a partition refuses a predecessor only once it has seen a record of its successor.
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
): Promise<Turns<In>> {
  const place = { topic: stage.changelog.topic, partition: spec.index }
  const startedMs = performance.now()
  let saidMs = startedMs
  const { progress, replayed, rebuilt } = await restore({
    ...{ store, fetcher: world.reader, changelog, place },
    now: Date.now,
    onProgress(replayed, left) {
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
    wakeKeys: await wakeKeysOf(store),
    timekeepers: stage.timekeepers(inputOf(stage, spec.topic), spec.partition),
    delayMs: stage.delayMs,
    limit: commitLimit,
    memoryBytes: world.memoryBytes,
  })
}
