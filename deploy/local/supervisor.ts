/**
 * Keeps processes only for as long as its parent lives. It runs on its own (`node supervisor.ts`), in a session of
 * its own so that Ctrl-C in the terminal does not reach it, and takes orders over the IPC channel. When the channel
 * closes, in whatever way the parent went, it kills what it started, removes the scratch folders and ends.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'

export type Order =
  | { readonly kind: 'start'; readonly name: string; readonly program: Program }
  | { readonly kind: 'signal'; readonly name: string; readonly signal: NodeJS.Signals }
  | { readonly kind: 'scratch'; readonly folder: string }

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Takes both output streams; appended to. */
  readonly logFile: string
}

export type News =
  | { readonly kind: 'started'; readonly name: string; readonly pid: number }
  | { readonly kind: 'ended'; readonly name: string; readonly how: string }

const running = new Map<string, ChildProcess>()
const scratch: string[] = []
let closing = false

if (process.send) main()

function main(): void {
  const prefix = deathPrefix()
  process.on('message', (order: Order) => obey(order, prefix))
  process.on('disconnect', close)
  process.on('SIGTERM', close)
  // A terminal that closes or is interrupted concerns the parent; its end is what counts here.
  process.on('SIGINT', () => {})
  process.on('SIGHUP', () => {})
}

function obey(order: Order, prefix: readonly string[]): void {
  switch (order.kind) {
    case 'start':
      if (!closing) start(order.name, order.program, prefix)
      return
    case 'signal':
      running.get(order.name)?.kill(order.signal)
      return
    case 'scratch':
      scratch.push(order.folder)
      return
  }
}

function start(name: string, program: Program, prefix: readonly string[]): void {
  const log = openSync(program.logFile, 'a')
  const [command = program.command, ...args] = [...prefix, program.command, ...program.args]
  const child = spawn(command, args, {
    cwd: program.cwd,
    env: program.env,
    stdio: ['ignore', log, log],
    // Its own process group, so that what it starts in turn (Maven is a shell script) is killed with it.
    detached: true,
  })
  closeSync(log)
  running.set(name, child)
  child.on('spawn', () => tell({ kind: 'started', name, pid: child.pid ?? 0 }))
  child.on('error', (error) => ended(name, error.message))
  child.on('exit', (code, signal) => ended(name, signal ?? `exit code ${code}`))
}

function ended(name: string, how: string): void {
  const child = running.get(name)
  if (child?.pid) killGroup(child.pid)
  running.delete(name)
  tell({ kind: 'ended', name, how })
  if (closing) leaveWhenAlone()
}

function close(): void {
  if (closing) return
  closing = true
  for (const child of running.values()) if (child.pid) killGroup(child.pid)
  leaveWhenAlone()
}

function leaveWhenAlone(): void {
  if (running.size > 0) return
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.exit(0)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

function tell(news: News): void {
  if (process.connected) process.send?.(news, undefined, undefined, () => {})
}

/** On Linux the kernel itself kills the children when this process is killed: the second belt. */
function deathPrefix(): string[] {
  const prefix = ['setpriv', '--pdeathsig', 'KILL']
  const tried = spawnSync(prefix[0] ?? '', [...prefix.slice(1), 'true'], { stdio: 'ignore' })
  return tried.status === 0 ? prefix : []
}
