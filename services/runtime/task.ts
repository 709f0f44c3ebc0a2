import { setTimeout as sleep } from 'node:timers/promises'
import type { Alignment, ControlTable } from './control.ts'
import { errorTable, isTidemarkError } from './errors.ts'
import { createIntake, type Intake } from './intake.ts'
import type { Kafka } from './kafka/client.ts'
import { KafkaFenced } from './kafka/failures.ts'
import type { FetchAnswer, Fetcher } from './kafka/fetch.ts'
import type { Writer } from './kafka/writer.ts'
import type { Log } from './log.ts'
import { restore } from './restore.ts'
import { createSession, type Session } from './session.ts'
import { createSignal } from './signal.ts'
import { inputOf, type Stage, type TaskSpec } from './stage.ts'
import type { Store } from './store/store.ts'
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

interface Life<In> {
  readonly turns: Turns<In>
  readonly intake: Intake
  readonly session: Session
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
  let life: Life<In> | undefined

  async function begin(writer: Writer, store: Store): Promise<Life<In>> {
    const { turns, replayed, rebuilt } = await restoreTurns(stage, spec, store, world)
    if (rebuilt) log.warn('the local store was not of this changelog and was rebuilt from it')
    log.debug({ replayed, position: turns.progress.position }, 'restored')
    const intake = createIntake({
      input: inputOf(stage, spec.topic),
      partition: spec.partition,
      position: turns.progress.position,
      isNew: turns.progress.counts.in === 0,
      fail: world.fail,
      onBroken: (offset) => log.warn({ offset }, 'a broken record batch was dead-lettered without its bytes'),
    })
    const session = createSession({
      stage,
      task: spec,
      world,
      alignment,
      writer,
      store,
      turns,
      intake,
      changed,
    })
    return { turns, intake, session }
  }

  async function live(store: Store): Promise<void> {
    const writer = await world.kafka.writer({ transactionalId: spec.transactionalId })
    try {
      life = await begin(writer, store)
      await life.session.work(() => closing)
    } finally {
      life = undefined
      alignment?.forget(spec.writer)
      await writer.close().catch(() => {})
    }
  }

  async function run(): Promise<void> {
    const store = await world.openStore(stage, spec)
    try {
      while (!closing) await live(store).catch(recover)
    } finally {
      await store.close()
    }
  }

  async function recover(error: unknown): Promise<void> {
    if (isTidemarkError(error) && !errorTable[error.code].retriable) throw error
    if (closing) return
    const fenced = error instanceof KafkaFenced
    const reason = error instanceof Error ? error.message : String(error)
    log.warn({ reason }, fenced ? 'fenced' : 'starting again')
    // A fenced task may have a new owner: it tries again only as a confirmed member that still has the task.
    if (fenced) await confirmed.wait(10_000)
    else await sleep(100)
  }

  const done = run().catch((error: unknown) => world.fail(error))

  return {
    address: spec,
    wants: () => life?.intake.wants(),
    offer(answer, requested) {
      if (!life?.intake.offer(answer, requested)) return
      life.session.announcer.busy()
      changed.raise()
    },
    nudge: changed.raise,
    confirm: confirmed.raise,
    status() {
      const progress = life?.turns.progress
      const { topic, partition } = spec
      const running = progress !== undefined
      const ended = progress?.ended ?? false
      return { stage: stage.id, topic, partition, running, ended, lag: life?.session.lag ?? 0, progress }
    },
    async close() {
      closing = true
      changed.raise()
      confirmed.raise()
      await done
    },
  }
}

/** After the fence, so that nothing of a predecessor can still arrive behind what is restored. */
async function restoreTurns<In>(stage: Stage<In>, spec: TaskSpec, store: Store, world: TaskWorld) {
  const changelog = { topic: stage.changelog.topic, partition: spec.index }
  const restored = await restore(store, world.reader, world.wire, changelog, Date.now)
  const turns = createTurns({
    writer: spec.writer,
    operator: stage.operator(spec.topic),
    store,
    progress: restored.progress,
    wakeKeys: await wakeKeysOf(store),
    timekeepers: stage.timekeepers(inputOf(stage, spec.topic), spec.partition),
    delayMs: stage.delayMs,
  })
  return { turns, ...restored }
}
