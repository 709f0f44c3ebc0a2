import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from '../../../topologies/plan.ts'
import { type ServiceName, serviceNames } from '../../../topologies/topics.ts'
import { type Arm, type Commits, type Plant, variables } from '../preload/protocol.ts'
import { type Exit, type LogLine, launch, type ServiceProcess } from './service-process.ts'

export interface FleetOptions {
  readonly plan: Plan
  readonly topologyPath: string
  readonly folder: string
  readonly brokers: string
  readonly registry: string
  readonly sessionTimeoutMs: number
  readonly plants: readonly Plant[]
  onLine(process: ServiceProcess, line: LogLine): void
  onCommits(process: ServiceProcess, commits: readonly Commits[]): void
  /** A process has ended that nobody had ended. */
  onDeath(process: ServiceProcess, exit: Exit): void
}

export interface StartOptions {
  readonly arms?: readonly Arm[]
  readonly settings?: Readonly<Record<string, string>>
}

/** All processes of all services. */
export interface Fleet {
  of(service: ServiceName): ServiceProcess[]
  all(): ServiceProcess[]
  /** Returns at once; `up` of the process tells when it serves. */
  start(service: ServiceName, instance: string, options?: StartOptions): ServiceProcess
  /** SIGKILL, now. */
  kill(process: ServiceProcess): Promise<Exit>
  /** SIGTERM; killed and reported when it has not gone after 20 s. */
  terminate(process: ServiceProcess): Promise<Exit>
  /** From now on this process may end by a signal that it sends to itself. */
  expect(process: ServiceProcess): void
  /** The folder in which an instance keeps its stores. */
  stateOf(service: ServiceName, instance: string): string
  close(): Promise<void>
  /** SIGKILL to whatever still runs: the run has failed. */
  abandon(): void
}

/** An answer that was dropped is missed after this; more would be most of a run. */
const requestTimeoutMs = 5_000

export function openFleet(options: FleetOptions): Fleet {
  const { folder, plan } = options
  const alive = new Set<ServiceProcess>()
  const condemned = new Set<ServiceProcess>()
  const logs = join(folder, 'logs')
  const hits = join(folder, 'hits')
  for (const each of [logs, hits, join(folder, 'state')]) mkdirSync(each, { recursive: true })
  let started = 0

  function start(service: ServiceName, instance: string, { arms = [], settings = {} }: StartOptions = {}) {
    started += 1
    const name = `${service}-${instance}`
    const process = launch({
      ...{ service, instance, arms, topologyPath: options.topologyPath },
      logFile: join(logs, `${name}.log`),
      hitsFile: join(hits, `${name}-${started}.jsonl`),
      env: environment(options, instance, settings),
      onLine: (line) => options.onLine(process, line),
      onCommits: (commits) => options.onCommits(process, commits),
      onExit: (exit) => {
        alive.delete(process)
        if (!wasExpected(process, exit)) options.onDeath(process, exit)
      },
    })
    alive.add(process)
    return process
  }

  function wasExpected(process: ServiceProcess, { code, signal, hits }: Exit): boolean {
    if (signal === 'SIGKILL') return condemned.has(process) || hits.length > 0
    // SIGTERM ends a process that has not begun to listen for it.
    return condemned.has(process) && (code === 0 || (signal === 'SIGTERM' && process.port === undefined))
  }

  async function terminate(process: ServiceProcess): Promise<Exit> {
    condemned.add(process)
    process.signal('SIGTERM')
    const late = sleep(20_000, undefined, { ref: false }).then(() => {
      condemned.delete(process)
      process.signal('SIGKILL')
      return process.ended
    })
    return Promise.race([process.ended, late])
  }

  return {
    of: (service) => [...alive].filter((each) => each.service === service),
    all: () => [...alive],
    start,
    terminate,
    expect: (process) => void condemned.add(process),
    async kill(process) {
      condemned.add(process)
      process.signal('SIGKILL')
      return process.ended
    },
    stateOf: (service, instance) => join(folder, 'state', plan.topology, `${service}-${instance}`),
    abandon() {
      for (const process of alive) {
        condemned.add(process)
        process.signal('SIGKILL')
      }
    },
    async close() {
      await Promise.all([...alive].map((process) => terminate(process)))
    },
  }
}

/** Every service with so many instances, up. */
export async function startAll(fleet: Fleet, instances: number): Promise<void> {
  const processes = serviceNames.flatMap((service) =>
    Array.from({ length: instances }, (_, instance) => fleet.start(service, String(instance))),
  )
  await Promise.all(processes.map(({ up }) => up))
}

function environment(
  { folder, brokers, registry, sessionTimeoutMs, plants }: FleetOptions,
  instance: string,
  settings: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  // What the caller's own shell sets for services is not part of a run.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(TIDEMARK|KAFKA|SCHEMA|FAULTS)_/.test(name),
  )
  return {
    ...Object.fromEntries(inherited),
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: registry,
    TIDEMARK_INSTANCE: instance,
    TIDEMARK_STATE: join(folder, 'state'),
    TIDEMARK_HTTP_PORT: '0',
    TIDEMARK_LOG_LEVEL: 'debug',
    TIDEMARK_SESSION_TIMEOUT_MS: String(sessionTimeoutMs),
    // Restarts are many; compiling the same files each time would be most of their cost.
    NODE_COMPILE_CACHE: join(tmpdir(), 'tidemark-faults-compiled'),
    TIDEMARK_REQUEST_TIMEOUT_MS: String(requestTimeoutMs),
    NODE_NO_WARNINGS: '1',
    [variables.plants]: plants.length === 0 ? undefined : JSON.stringify(plants),
    ...settings,
  }
}
