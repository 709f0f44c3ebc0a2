import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

export const repository = fileURLToPath(new URL('../../', import.meta.url))
const main = join(repository, 'services', 'cli', 'main.ts')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A child process; its output is kept, not shown. */
export interface Child {
  readonly pid: number
  readonly ended: Promise<Ended>
  stdout(): string
  stderr(): string
  kill(signal: NodeJS.Signals): void
  /** SIGKILL, and its children with it: they might be in no state to notice. */
  destroy(): void
}

/** A folder for everything that the commands of one test file write; `env` points them there and to the broker. */
export interface Place extends AsyncDisposable {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** `tidemark …`, to its end. Rejects when that takes longer than `withinMs`. */
  run(args: readonly string[], withinMs?: number): Promise<Ended>
  /** `tidemark …` that goes on until it is told to stop. */
  start(args: readonly string[], settings?: NodeJS.ProcessEnv): Child
}

/** Whatever is still running when the place is disposed of is killed, and the folder is removed. */
export function openPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-end-to-end-'))
  const children = new Set<Child>()
  const env = {
    ...process.env,
    NODE_NO_WARNINGS: '1',
    KAFKA_BROKERS: inject('brokers'),
    SCHEMA_REGISTRY_URL: inject('registry'),
    TIDEMARK_CACHE: join(folder, 'cache'),
    TIDEMARK_STATE: join(folder, 'state'),
    // What a killed command leaves behind goes with the folder.
    TMPDIR: folder,
  }
  function start(args: readonly string[], settings: NodeJS.ProcessEnv = {}): Child {
    const child = startChild(process.execPath, [main, ...args], { ...env, ...settings })
    children.add(child)
    void child.ended.then(() => children.delete(child))
    return child
  }
  return {
    folder,
    env,
    start,
    run: (args, withinMs = 60_000) => within(withinMs, start(args), `tidemark ${args.join(' ')}`),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.destroy()
      await Promise.all([...children].map(({ ended }) => ended))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function startChild(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Child {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (data: Buffer) => out.push(data))
  child.stderr.on('data', (data: Buffer) => err.push(data))
  const text = (parts: Buffer[]) => Buffer.concat(parts).toString('utf8')
  return {
    pid: child.pid ?? 0,
    stdout: () => text(out),
    stderr: () => text(err),
    kill: (signal) => void child.kill(signal),
    destroy: () => destroy(child),
    ended: endOf(child).then((how) => ({ ...how, stdout: text(out), stderr: text(err) })),
  }
}

/** The end of a child that ends by itself; one that takes too long is killed, and what it said is the error. */
export async function within(limitMs: number, child: Child, name: string): Promise<Ended> {
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.destroy()
  }, limitMs)
  const ended = await child.ended
  clearTimeout(timer)
  if (late)
    throw new Error(`${name} did not end within ${limitMs} ms; it said: ${ended.stderr.slice(-2_000)}`)
  return ended
}

function destroy(child: ChildProcess): void {
  const running = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' }).split('\n')
  const pairs = running.map((line) => line.trim().split(/\s+/).map(Number))
  const orphans = pairs.flatMap(([parent, pid]) => (parent === child.pid && pid ? [pid] : []))
  child.kill('SIGKILL')
  for (const pid of orphans) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}

function endOf(child: ChildProcess): Promise<Pick<Ended, 'code' | 'signal'>> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}

/** Resolves with the first answer that is not undefined; rejects when there is none within `limitMs`. */
export async function until<T>(what: string, limitMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`never came true within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
