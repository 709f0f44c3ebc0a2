import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { cacheFolder } from '../../deploy/local/cache.ts'
import type { Stack } from '../../deploy/local/stack.ts'
import { bringUp } from '../../deploy/local/up.ts'
import type { DemoRecord } from '../../topologies/demo.ts'
import { type LoadedTopology, loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { serviceNames, topicOf } from '../../topologies/topics.ts'
import { avroWire } from '../runtime/codec/wire.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Wire } from '../runtime/wire.ts'
import { apply } from './apply.ts'
import { audit } from './audit.ts'
import { type Connection, connect, packageFolder } from './connect.ts'
import { announceDevStack, forgetDevStack } from './dev-stack.ts'
import { announceEnd, verdictHasEnded } from './ending.ts'
import { type Feed, loadDemo, openFeed } from './feed.ts'
import { startLatencyProbe } from './live-latency.ts'
import { type Supervisor, supervise } from './processes.ts'
import {
  askServices,
  byStage,
  createScreen,
  progressLines,
  type StageProgress,
  type TaskReport,
} from './progress.ts'
import { emptyTopics, refuseUsedTopics } from './reset.ts'
import { summarise } from './summary.ts'

interface DevOptions {
  readonly once?: boolean
  readonly json?: boolean
  readonly reset?: boolean
  readonly instances: number
  readonly killEach?: boolean
  readonly timeout: number
}

export function devCommand(): Command {
  return new Command('dev')
    .description(
      'bring up Kafka and a registry, apply a topology, start its services and stream its demo through them',
    )
    .argument(
      '[topology]',
      'the topology file, or its folder',
      join(packageFolder, 'topologies', 'flight-delay'),
    )
    .option('--once', 'stop when everything has been processed, and check the books')
    .option('--json', 'with --once: the last line of standard output is one JSON object')
    .option('--instances <n>', 'processes per service', wholeNumber, 1)
    .option('--kill-each', 'kill -9 one process of each service on the way, to see that nothing changes')
    .option('--reset', 'delete the topics of this topology first')
    .option('--timeout <seconds>', 'with --once: give up after this time', wholeNumber, 600)
    .action(dev)
}

async function dev(path: string, options: DevOptions): Promise<void> {
  const startedMs = performance.now()
  if (options.json && !options.once) throw tidemarkError('TM_USAGE', '--json goes with --once')
  const loaded = await loadTopology(path)
  await using stack = await bringUp({ onProgress: (line) => say(line) })
  const env = { ...process.env, KAFKA_BROKERS: stack.brokers, SCHEMA_REGISTRY_URL: stack.registry }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-dev-'))
  announceDevStack(cacheFolder(process.env), stack)
  let isServing = false
  try {
    await using connection = await connect('tidemark-dev', env)
    const interrupt = interruption()
    const run = await startRun(loaded, connection, stack, interrupt, { path, folder, env, options })
    isServing = true
    await follow(run, startedMs)
    // Interrupted before the books were checked, a run that was to end by itself has not succeeded.
    if (options.once && interrupt.aborted) process.exitCode = 130
    isServing = false
  } finally {
    forgetDevStack(cacheFolder(process.env))
    if (isServing) say(`The logs of the services stay in ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

/** Until the run has done what it was to do, is interrupted, or a service dies; then everything stops. */
async function follow(run: Run, startedMs: number): Promise<void> {
  const hideProgress = showProgress(run.supervisor)
  try {
    const done = run.options.once ? once(run, startedMs, hideProgress) : goOn(run)
    await Promise.race([done, untilAborted(run.interrupt), run.broken])
  } finally {
    hideProgress()
    await run.supervisor.stop()
  }
}

interface Run {
  readonly loaded: LoadedTopology
  readonly connection: Connection
  readonly wire: Wire
  readonly supervisor: Supervisor
  /** Rejects when a service dies. */
  readonly broken: Promise<never>
  /** Aborted by Ctrl-C. */
  readonly interrupt: AbortSignal
  readonly options: DevOptions
}

interface Surroundings {
  readonly path: string
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly options: DevOptions
}

async function startRun(
  loaded: LoadedTopology,
  connection: Connection,
  stack: Stack,
  interrupt: AbortSignal,
  { path, folder, env, options }: Surroundings,
): Promise<Run> {
  const { topology, hash } = loaded
  const { kafka, registry } = connection
  const plan = planOf(topology)
  if (options.reset) await emptyTopics(kafka, plan)
  else await refuseUsedTopics(kafka, plan)
  const created = await apply(kafka, registry, topology, hash)
  say(
    `${topology.name} version ${topology.version} applied, ${created} topics created; brokers ${stack.brokers}`,
  )
  const wire = await avroWire(registry, plan.topics)
  const { promise: broken, reject } = Promise.withResolvers<never>()
  broken.catch(() => {})
  mkdirSync(folder, { recursive: true })
  const { instances } = options
  const supervisor = await supervise({
    topologyPath: path,
    services: serviceNames,
    instances,
    folder,
    env,
    onDeath: reject,
  })
  say(`${serviceNames.length * instances} service processes run; their logs are in ${folder}`)
  return { loaded, connection, wire, supervisor, broken, interrupt, options }
}

/** Streams the demo and then goes on with whatever comes, until somebody interrupts. */
async function goOn(run: Run): Promise<void> {
  const opened = await openDemo(run)
  if (opened) {
    const { demo, feed, close } = opened
    await feed.pour(demo.backlog())
    await untilWorkedOff(run, feed)
    await feed.trickle(demo.live(), demo.livePerSecond, () => {})
    await close()
  }
  const sent = opened ? 'The demo has been sent.' : 'This topology has no demo.'
  say(`${sent} Produce more, tail the topics, or press Ctrl-C.`)
  await untilAborted(run.interrupt)
}

/** Streams the demo, ends the input, waits until the last stage has ended, and audits the topics. */
async function once(run: Run, startedMs: number, hideProgress: () => void): Promise<void> {
  const { loaded, connection, wire, interrupt, options } = run
  const latency = await feedAll(run)
  await announceEnd(connection.kafka, wire, loaded.topology)
  const deadlineMs = startedMs + 1000 * options.timeout
  await verdictHasEnded(connection.kafka, wire, loaded.topology, deadlineMs, interrupt)
  hideProgress()
  const counted = await audit(connection.kafka, wire, loaded.topology)
  const seconds = (performance.now() - startedMs) / 1000
  const summary = await summarise({ ...loaded, audit: counted, p99Ms: latency, seconds })
  process.stdout.write(`${JSON.stringify(summary, null, options.json ? undefined : 2)}\n`)
  const wrong = summary.books.equations.filter(({ holds }) => !holds)
  if (wrong.length > 0) {
    throw tidemarkError(
      'TM_BOOKS',
      wrong.map(({ name, left, right }) => `${name}: ${left} ≠ ${right}`).join('; '),
    )
  }
}

/** The backlog, then a stretch at a live rate on which the latency is measured. Returns its p99 in ms. */
async function feedAll(run: Run): Promise<number | undefined> {
  const opened = await openDemo(run)
  if (!opened) return undefined
  const { demo, feed, close } = opened
  await feed.pour(demo.backlog())
  if (run.options.killEach) await killEach(run.supervisor)
  await untilWorkedOff(run, feed)
  const { scored, streams, name } = run.loaded.topology
  const idField = streams[scored]!.id
  const probe = startLatencyProbe(run.connection.kafka, run.wire, topicOf(name, 'predictions'))
  await feed.trickle(demo.live(), demo.livePerSecond, (record, atMs) => {
    if (record.topic === scored) probe.sent(idOf(record, idField), atMs)
  })
  await untilWorkedOff(run, feed)
  const seen = await probe.finish()
  await close()
  if (seen)
    say(
      `event to prediction at ${demo.livePerSecond} records/s: p50 ${seen.p50.toFixed(0)} ms, p99 ${seen.p99.toFixed(0)} ms over ${seen.count} events`,
    )
  return seen?.p99
}

async function openDemo({ loaded, connection }: Run) {
  const demo = await loadDemo(loaded.folder)
  if (demo === undefined) return undefined
  const { kafka, registry } = connection
  const partitionsOf = (topic: string) => loaded.topology.streams[topic]!.partitions
  return { demo, ...(await openFeed(kafka, registry, demo.formats, partitionsOf)) }
}

function idOf({ value }: DemoRecord, field: string): string {
  return value instanceof Uint8Array ? '' : String(value[field])
}

/** One process of each service dies in the middle of its work, one after the other. */
async function killEach(supervisor: Supervisor): Promise<void> {
  for (const name of serviceNames) {
    await sleep(1_500)
    const service = supervisor.running().find((each) => each.name === name)
    if (service === undefined) continue
    say(`kill -9 ${name}-${service.instance}`)
    await supervisor.replace(service)
  }
}

/** Resolves when every service has read all that was produced, and has worked off what came of it. */
async function untilWorkedOff({ supervisor, interrupt }: Run, { produced }: Feed): Promise<void> {
  while (!interrupt.aborted) {
    const tasks = await askServices(supervisor.running())
    if (
      tasks.length > 0 &&
      tasks.every(({ running, lag }) => running && lag === 0) &&
      hasRead(tasks, produced)
    )
      return
    await sleep(200)
  }
}

function hasRead(tasks: readonly TaskReport[], produced: ReadonlyMap<string, number>): boolean {
  const readers = Map.groupBy(tasks, ({ stage, topic }) => `${stage} ${topic}`)
  return [...readers.values()].every((group) => {
    const read = group.reduce((sum, { counts }) => sum + (counts?.in ?? 0), 0)
    return read >= (produced.get(group[0]!.topic) ?? 0)
  })
}

function showProgress(supervisor: Supervisor): () => void {
  const show = createScreen(process.stderr)
  const everyMs = process.stderr.isTTY ? 1_000 : 5_000
  let before: StageProgress[] = []
  const timer = setInterval(async () => {
    const now = byStage(await askServices(supervisor.running()))
    show(progressLines(now, before, everyMs / 1000))
    before = now
  }, everyMs)
  return () => clearInterval(timer)
}

function interruption(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort())
  process.once('SIGTERM', () => controller.abort())
  return controller.signal
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It takes a whole number from 1.')
  return value
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
