import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ServiceName } from '../../../topologies/topics.ts'
import {
  type Arm,
  type CommitReport,
  type Commits,
  type Hit,
  type Order,
  variables,
} from '../preload/protocol.ts'

const preload = fileURLToPath(new URL('../preload/main.ts', import.meta.url))
const main = fileURLToPath(new URL('../../../services/cli/main.ts', import.meta.url))

/** A line of a service's log, as far as the rig reads it. */
export interface LogLine {
  readonly time: number
  readonly msg: string
  readonly task?: string
  readonly reason?: string
  readonly replayed?: number
}

export interface Launch {
  readonly service: ServiceName
  readonly instance: string
  readonly topologyPath: string
  readonly logFile: string
  readonly hitsFile: string
  readonly env: NodeJS.ProcessEnv
  /** Armed from the first moment on: the fence comes soon. */
  readonly arms: readonly Arm[]
  onLine(line: LogLine): void
  onCommits(commits: readonly Commits[]): void
  onExit(how: Exit): void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly atMs: number
  /** What it did to itself by order. */
  readonly hits: readonly Hit[]
  readonly lastLines: readonly string[]
}

/** One process of a service, as the rig holds it. */
export interface ServiceProcess {
  readonly service: ServiceName
  readonly instance: string
  readonly pid: number
  /** Port of its status page, once it serves. */
  readonly port: number | undefined
  /** Resolves when it serves, or has ended without. */
  readonly up: Promise<void>
  readonly ended: Promise<Exit>
  readonly isAlive: boolean
  /** When each transactional id last committed here. */
  readonly commits: ReadonlyMap<string, number>
  readonly rates: ReadonlyMap<string, number>
  /** What it did to itself by order. */
  hits(): Hit[]
  order(order: Order): void
  signal(signal: NodeJS.Signals): void
}

/** Starts `tidemark start <service>` with the preload in front of it. */
export function launch(options: Launch): ServiceProcess {
  const { service, instance, topologyPath, env, arms, hitsFile } = options
  const args = ['--import', preload, main, 'start', service, '--topology', topologyPath]
  const child = spawn(process.execPath, args, {
    env: { ...env, [variables.hits]: hitsFile, [variables.arm]: JSON.stringify(arms) },
    // The service ends when its channel to this process closes, however this process ends.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const commits = new Map<string, number>()
  const rates = new Map<string, number>()
  const up = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<Exit>()
  const lastLines = readLog(child, options)
  let port: number | undefined
  let isAlive = true
  child.on('message', (message: CommitReport | { port: number }) => {
    if ('port' in message) {
      port = message.port
      up.resolve()
    } else if (message.faults === 'commits') {
      for (const { id, lastMs, count } of message.commits) {
        commits.set(id, lastMs)
        rates.set(id, 0.8 * (rates.get(id) ?? 0) + 0.2 * 10 * count)
      }
      options.onCommits(message.commits)
    }
  })
  const hits = () => readHits(hitsFile)
  child.once('error', (error) => lastLines.push(error.message))
  // Its last lines have been read by then.
  child.once('close', (code, signal) => {
    isAlive = false
    const exit = { code, signal, atMs: Date.now(), hits: hits(), lastLines: lastLines.slice(-12) }
    up.resolve()
    ended.resolve(exit)
    options.onExit(exit)
  })
  return {
    ...{ service, instance, commits, rates, hits, up: up.promise, ended: ended.promise },
    pid: child.pid ?? 0,
    get port() {
      return port
    },
    get isAlive() {
      return isAlive
    },
    order: (order) => void (child.connected && child.send(order, () => {})),
    signal: (signal) => void (isAlive && child.kill(signal)),
  }
}

/** Keeps the log on disk, hands its lines on, and remembers the last ones. */
function readLog(child: ChildProcess, { logFile, onLine }: Launch): string[] {
  const lastLines: string[] = []
  createInterface({ input: child.stderr! }).on('line', (text) => {
    appendFileSync(logFile, `${text}\n`)
    lastLines.push(text)
    if (lastLines.length > 40) lastLines.splice(0, 20)
    const line = parseLine(text)
    if (line !== undefined) onLine(line)
  })
  return lastLines
}

function parseLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text) as LogLine
    return typeof line.msg === 'string' ? line : undefined
  } catch {
    return undefined
  }
}

function readHits(file: string): Hit[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Hit)
}
