import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { News, Order, Program } from './supervisor.ts'

/** The parent's side of a supervisor: processes that cannot outlive this one. */
export interface Supervision extends AsyncDisposable {
  /** Starts a program; resolves when it runs. A name can be used again once its program has ended. */
  start(name: string, program: Program): Promise<Running>
  /** Removes the folder when everything has ended, even if this process is killed. */
  ownFolder(folder: string): void
  /** Kills what still runs, removes the folders, and resolves when both are gone. */
  close(): Promise<void>
}

export interface Running {
  readonly pid: number
  /** Resolves with how it ended ("exit code 1", "SIGKILL"). */
  readonly ended: Promise<string>
  readonly hasEnded: () => boolean
  signal(signal: NodeJS.Signals): void
}

interface Entry {
  started: PromiseWithResolvers<number>
  ended: PromiseWithResolvers<string>
}

export function supervise(): Supervision {
  const file = fileURLToPath(new URL(`./supervisor${extname(import.meta.url)}`, import.meta.url))
  const child = fork(file, [], { detached: true, stdio: 'ignore', execArgv: ['--no-warnings'] })
  const gone = once(child, 'exit').then(() => {})
  const entries = new Map<string, Entry>()
  const pids = new Set<number>()
  child.on('message', (news: News) => hear(news, entries, pids))
  child.on('error', () => {})
  const folders: string[] = []
  void gone.then(() => abandon(entries, pids, folders))
  const close = async () => {
    if (child.connected) child.disconnect()
    await gone
  }
  return {
    start: (name, program) => start(child, entries, name, program),
    ownFolder(folder) {
      folders.push(folder)
      order(child, { kind: 'scratch', folder })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function start(
  child: ChildProcess,
  entries: Map<string, Entry>,
  name: string,
  program: Program,
): Promise<Running> {
  const entry: Entry = { started: Promise.withResolvers(), ended: Promise.withResolvers() }
  entries.set(name, entry)
  let over = false
  const ended = entry.ended.promise.finally(() => {
    over = true
  })
  order(child, { kind: 'start', name, program })
  const pid = await Promise.race([entry.started.promise, ended.then((how) => failedToStart(program, how))])
  return {
    pid,
    ended,
    hasEnded: () => over,
    signal: (signal) => over || order(child, { kind: 'signal', name, signal }),
  }
}

function failedToStart(program: Program, how: string): never {
  throw new Error(`${program.command} did not start: ${how}`)
}

function hear(news: News, entries: Map<string, Entry>, pids: Set<number>): void {
  const entry = entries.get(news.name)
  if (news.kind === 'started') {
    pids.add(news.pid)
    entry?.started.resolve(news.pid)
    void entry?.ended.promise.then(() => pids.delete(news.pid))
  } else {
    entry?.ended.resolve(news.how)
  }
}

/** The supervisor is gone. If it was killed, what it could not do any more is done from here. */
function abandon(entries: Map<string, Entry>, pids: Set<number>, folders: readonly string[]): void {
  for (const pid of pids) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  for (const entry of entries.values()) entry.ended.resolve('its supervisor ended')
}

function order(child: ChildProcess, what: Order): void {
  if (child.connected) child.send(what)
}
