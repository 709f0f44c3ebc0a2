import { type Announcer, createAnnouncer } from './announcer.ts'
import { type Changelog, createChangelog } from './changelog.ts'
import { commit } from './commit.ts'
import type { ControlEntry, ControlTable } from './control.ts'
import type { MemoryLog } from './in-memory-log.ts'
import { createMarks, type Marks } from './marks.ts'
import { createQuietWriter, type QuietWriter, quietMark } from './quiet.ts'
import { restore } from './restore.ts'
import { inputOf, type Stage, type TaskSpec, writersOf } from './stage.ts'
import type { Store } from './store/store.ts'
import { createTurns, type Input, type Progress, type Turns, wakeKeysOf } from './turns.ts'
import type { Wire } from './wire.ts'

/** What all tasks of a run in memory share. */
export interface MemoryWorld {
  readonly wire: Wire
  readonly topologyHash: string
  readonly controlTopic: string
  readonly control: ControlTable
  /** Where the tasks read. */
  readonly input: MemoryLog
  /** Where they write: the same log, or another one when a journal is replayed. */
  readonly output: MemoryLog
  /** Inputs per commit; what is sent on is committed when there is no more input, at the latest. */
  readonly commitEvery: number
  readonly clock: {
    readonly nowMs: number
    /** True while time passes: then tasks tell others how far they are. */
    readonly passes: boolean
  }
  /** Told of what a task has said in the control topic. */
  told(entry: ControlEntry): void
  /** Names the life of a task that begins without a past. */
  incarnation(task: TaskSpec): number
  openStore(stage: Stage, task: TaskSpec): Promise<Store>
}

/** A task without a broker. Its turns, commits, marks and restores are those of a service. */
export interface MemoryTask {
  readonly stage: Stage
  readonly spec: TaskSpec
  readonly progress: Progress
  /** Everything that it reads has had its turn, and all is committed that others wait for. */
  step(): Promise<void>
  /** True when the clock alone gives it something to say. */
  isDue(): boolean
  /** Of a task that reads a user's topic and is not quiet: when it last heard a record, undefined for never. */
  readonly heardAtMs: number | undefined
  /** Reads a user's topic, and counts as quiet. */
  readonly isQuiet: boolean
  /** From now on its input counts as quiet, until a record comes. */
  hush(): void
  /** Its input has ended. */
  end(): Promise<void>
  /** Commits what nobody waits for. */
  save(): Promise<void>
  /** Forgets everything and begins again from the changelog. */
  restart(): Promise<void>
  /** The committed state as text, timers and checkpoint included. */
  state(): Promise<Map<string, string>>
  close(): Promise<void>
}

/** Records per read. */
const readLimit = 500

/** What a task has told others. A restart takes no time, so it is not told again. */
interface Voice {
  readonly marks: Marks
  readonly quiet: QuietWriter | undefined
  readonly announcer: Announcer
}

/** From a restore on. */
interface Life extends Voice {
  readonly stage: Stage
  readonly spec: TaskSpec
  readonly world: MemoryWorld
  readonly changelog: Changelog
  readonly store: Store
  readonly turns: Turns<unknown>
  /** Inputs since the last commit. */
  uncommitted: number
}

export async function openMemoryTask(stage: Stage, spec: TaskSpec, world: MemoryWorld): Promise<MemoryTask> {
  const input = inputOf(stage, spec.topic)
  const writers = writersOf(input, spec.partition)
  const { fetcher } = world.output
  const voice: Voice = {
    marks: createMarks(stage, spec.writer),
    quiet: createQuietWriter(stage, spec, fetcher),
    announcer: createAnnouncer(stage, spec, undefined, fetcher),
  }
  let life = await beginLife(stage, spec, world, voice)
  let heardAtMs: number | undefined
  let isQuiet = false

  const hasReached = (end: number | undefined) => end !== undefined && life.turns.progress.position >= end

  async function hear(): Promise<void> {
    for (;;) {
      const records = world.input.read(spec, life.turns.progress.position, readLimit)
      if (records.length === 0) break
      heardAtMs = world.clock.nowMs
      isQuiet = false
      for (const next of await stage.read(records)) await take(life, next, isQuiet)
    }
  }

  return {
    stage,
    spec,
    get progress() {
      return life.turns.progress
    },
    async step() {
      await hear()
      const { progress } = life.turns
      if (progress.ended) return
      const mark = quietMark(input, spec, world.control, { waiting: 0, hasReached }, progress)
      if (mark !== undefined) await take(life, mark, isQuiet)
      if (hasReached(world.control.endOf(spec.topic, spec.partition, writers))) await finish(life, isQuiet)
      else if (isDue(life, isQuiet)) await write(life, isQuiet)
    },
    isDue: () => isDue(life, isQuiet),
    get heardAtMs() {
      return heardAtMs
    },
    get isQuiet() {
      return isQuiet
    },
    hush() {
      isQuiet = true
    },
    end: () => finish(life, isQuiet),
    async save() {
      if (life.turns.dirty) await write(life, isQuiet)
    },
    async restart() {
      await life.store.close()
      life = await beginLife(stage, spec, world, voice)
    },
    async state() {
      const keys = await life.store.keys('')
      return new Map(keys.map((key) => [key, life.store.get(key)!.toString('utf8')]))
    },
    close: () => life.store.close(),
  }
}

async function beginLife(stage: Stage, spec: TaskSpec, world: MemoryWorld, voice: Voice): Promise<Life> {
  const store = await world.openStore(stage, spec)
  const { fetcher } = world.output
  const { topic } = stage.changelog
  const changelog = createChangelog(world.wire, topic)
  const place = { topic, partition: spec.index }
  const { progress } = await restore({ store, fetcher, changelog, place, now: () => world.incarnation(spec) })
  const turns = createTurns({
    writer: spec.writer,
    operator: stage.operator(spec.topic),
    store,
    progress,
    wakeKeys: await wakeKeysOf(store),
    timekeepers: stage.timekeepers(inputOf(stage, spec.topic), spec.partition),
    delayMs: stage.delayMs,
  })
  return { ...voice, stage, spec, world, changelog, store, turns, uncommitted: 0 }
}

async function take(life: Life, input: Input<unknown>, isQuiet: boolean): Promise<void> {
  const { turns, world } = life
  while (!turns.prepare(input)) await write(life, isQuiet)
  turns.apply(input)
  life.uncommitted += 1
  if (life.uncommitted >= world.commitEvery) await write(life, isQuiet)
}

function isDue({ turns, marks, quiet, world: { clock } }: Life, isQuiet: boolean): boolean {
  if (turns.pending > 0) return true
  if (!clock.passes) return false
  return marks.pending(turns.progress, isQuiet) || quiet?.due(turns.progress, clock.nowMs) === true
}

/** What a service's clerk does, by the clock of the run. */
async function write(life: Life, isQuiet: boolean): Promise<void> {
  const { stage, spec, world, changelog, store, turns, marks, quiet, announcer } = life
  const { wire, topologyHash, controlTopic, output, clock } = world
  const { nowMs, passes } = clock
  const { progress } = turns
  const speaks = turns.pending > 0
  const hasNews = passes && !speaks && quiet?.due(progress, nowMs) === true
  const control = hasNews
    ? await quiet?.entry(progress, nowMs)
    : await announcer.entry(progress, { nextTime: undefined, isCaughtUp: true }, !turns.dirty, nowMs)
  if (speaks) quiet?.wrote(nowMs)
  const sent = passes && !turns.behind ? marks.due(progress, isQuiet, nowMs) : []
  life.uncommitted = 0
  if (!turns.dirty && sent.length === 0 && control === undefined) return
  await commit(turns, {
    ...{ stage, task: spec, wire, changelog, writer: output.writer, store },
    ...{ topologyHash, controlTopic, marks: sent, control },
    runtime: { instance: 'memory', at: nowMs, micros: 0 },
  })
  if (control !== undefined) world.told(control)
}

async function finish(life: Life, isQuiet: boolean): Promise<void> {
  while (!life.turns.end()) await write(life, isQuiet)
  await write(life, isQuiet)
  // The end itself is said once nothing else is left to commit.
  if (life.announcer.due(life.turns.progress, life.world.clock.nowMs)) await write(life, isQuiet)
}
