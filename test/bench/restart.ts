import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bed, openPlot, type Plot } from './bed.ts'
import { type BenchChild, startChild } from './child.ts'
import { median, rounded } from './figures.ts'
import type { Keys } from './records.ts'
import type { Phase, ServiceNews } from './service-run.ts'

export interface RestartOptions {
  /** Keys in the store of the one task. */
  readonly keys: number
  readonly kills: number
  /** A folder for a processor profile of the process that lost its store. */
  readonly profile?: string
}

export interface RestartResult {
  readonly medianMs: number
  readonly maxMs: number
  /** Processor time of the new process until then: what it would take on a machine with nothing else to do. */
  readonly cpuMs: number
  readonly kills: number
  readonly keys: number
  /** The median of each phase, in the order in which they happen; they add up to each run, not to the median. */
  readonly phasesMs: Readonly<Record<string, number>>
  /** Changelog records that the restarted process replayed: the tail that its store did not have. */
  readonly replayed: { readonly median: number; readonly max: number }
  readonly fullRestore: {
    readonly records: number
    readonly ms: number
    readonly recordsPerSecond: number
    /** Processor time per record. */
    readonly microsPerRecord: number
    /** From spawn to the first commit. */
    readonly startMs: number
  }
}

/** Each phase by the moment that ends it. */
const phases: readonly (readonly [name: string, until: Phase | 'restored'])[] = [
  ['node', 'node'],
  ['imports', 'imports'],
  ['connect and registry', 'registry'],
  ['join', 'joined'],
  ['open and verify the store', 'opened'],
  ['fence', 'fenced'],
  ['replay the tail', 'restored'],
  ['read', 'read'],
  ['first commit', 'committed'],
]

interface Restart {
  readonly ms: number
  readonly cpuMs: number
  /** Processor time between the fence and the first record that was read. */
  readonly restoreCpuMs: number
  readonly phasesMs: Readonly<Record<string, number>>
  readonly replayed: number
}

/**
 * Kills a service with kill -9 while records come in, again and again, and measures from the start of the new process
 * until the broker has confirmed its first transaction with an output. Then once more without its store.
 */
export async function benchRestart(
  bed: Bed,
  { keys, kills, profile }: RestartOptions,
): Promise<RestartResult> {
  await using plot = await openPlot(bed, 'restart')
  await fillStore(bed, plot, keys)
  const feed = startFeed(plot, keys)
  const restarts: Restart[] = []
  let running = startService(plot)
  await running.next((news): news is PhaseNews => isPhase(news, 'committed'))
  for (let kill = 1; kill <= kills; kill += 1) {
    // Under load for a moment, so that the kill falls between, or into, commits.
    await sleep(1_000 + 37 * kill)
    await running.kill()
    running = startService(plot)
    const restart = await observe(running)
    restarts.push(restart)
    bed.say(
      `kill ${kill}: first commit after ${Math.round(restart.ms)} ms (${Math.round(restart.cpuMs)} of processor), ${restart.replayed} replayed`,
    )
  }
  await sleep(500)
  await running.kill()
  rmSync(plot.service.stateFolder, { recursive: true })
  running = startService(plot, profile)
  const full = await observe(running)
  await feed.stop()
  await endOf(running, profile)
  return resultOf(restarts, full, keys)
}

function resultOf(restarts: readonly Restart[], full: Restart, keys: number): RestartResult {
  const ms = restarts.map((restart) => restart.ms)
  const replayed = restarts.map((restart) => restart.replayed)
  const restoreMs = full.phasesMs['replay the tail']!
  return {
    medianMs: rounded(median(ms)),
    maxMs: rounded(Math.max(...ms)),
    cpuMs: rounded(median(restarts.map((restart) => restart.cpuMs))),
    kills: restarts.length,
    keys,
    phasesMs: Object.fromEntries(
      phases.map(([name]) => [name, rounded(median(restarts.map(({ phasesMs }) => phasesMs[name]!)))]),
    ),
    replayed: { median: median(replayed), max: Math.max(...replayed) },
    fullRestore: {
      records: full.replayed,
      ms: rounded(restoreMs),
      recordsPerSecond: Math.round((1000 * full.replayed) / restoreMs),
      microsPerRecord: rounded((1000 * full.restoreCpuMs) / full.replayed),
      startMs: rounded(full.ms),
    },
  }
}

/** Every key once, through the task itself, so that store and changelog are what a task writes. */
async function fillStore(bed: Bed, plot: Plot, keys: number): Promise<void> {
  const startedMs = performance.now()
  await plot.fill(0, keys, { kind: 'each-once', count: keys })
  const child = startChild<ServiceNews>('./service-process.ts', { ...plot.service, records: keys })
  await child.next((news) => news.kind === 'done')
  await child.ended
  bed.say(`${keys} keys are in the store after ${Math.round(performance.now() - startedMs)} ms`)
}

const chunkRecords = 50
const chunkPauseMs = 25

/** About 2,000 records a second, on any key. */
function startFeed(plot: Plot, count: number): { stop(): Promise<void> } {
  const keys: Keys = { kind: 'hot-and-cold', count }
  let stopped = false
  const feeding = (async () => {
    for (let at = count; !stopped; at += chunkRecords) {
      await plot.fill(at, at + chunkRecords, keys)
      await sleep(chunkPauseMs)
    }
  })()
  return {
    async stop() {
      stopped = true
      await feeding
    },
  }
}

function startService(plot: Plot, profile?: string): BenchChild<ServiceNews> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  return startChild<ServiceNews>('./service-process.ts', plot.service, profiling)
}

async function observe(child: BenchChild<ServiceNews>): Promise<Restart> {
  const at = new Map<string, number>()
  const cpuMs = new Map<Phase, number>()
  for (const [, phase] of phases) {
    if (phase === 'restored') continue
    const news = await child.next((each): each is PhaseNews => isPhase(each, phase))
    at.set(phase, news.atMs)
    cpuMs.set(phase, news.cpuMs)
  }
  const restored = restoredLine(child.lines)
  at.set('restored', restored.time)
  const phasesMs: Record<string, number> = {}
  let before = child.spawnedMs
  for (const [name, phase] of phases) {
    const now = Math.max(before, at.get(phase)!)
    phasesMs[name] = now - before
    before = now
  }
  const restoreCpuMs = cpuMs.get('read')! - cpuMs.get('fenced')!
  const ms = before - child.spawnedMs
  return { ms, cpuMs: cpuMs.get('committed')!, restoreCpuMs, phasesMs, replayed: restored.replayed }
}

/** The task's own log line says when it was restored and from how much. */
function restoredLine(lines: readonly string[]): { time: number; replayed: number } {
  const line = lines.find((each) => each.includes('"msg":"restored"'))
  if (line === undefined) throw new Error(`no task said that it was restored:\n${lines.join('\n')}`)
  return JSON.parse(line) as { time: number; replayed: number }
}

type PhaseNews = ServiceNews & { readonly kind: 'phase' }

function isPhase(news: ServiceNews, phase: Phase): news is PhaseNews {
  return news.kind === 'phase' && news.phase === phase
}

/** A profile is written at a process's own end only. */
async function endOf(child: BenchChild<ServiceNews>, profile: string | undefined): Promise<void> {
  if (profile === undefined) return child.kill()
  child.process.disconnect()
  await child.ended
}
