import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Plan } from './counting.ts'
import type { LogLine } from './ground.ts'

/**
 * The steps of a commit, and of a life's beginning, at which a process can end or freeze. `after-outputs` is the step
 * between outputs and changelog of a commit without a transaction.
 */
export type Step =
  | 'before-add-partitions'
  | 'after-add-partitions'
  | 'after-produce'
  | 'at-end-txn'
  | 'after-end-txn'
  | 'after-store'
  | 'after-outputs'
  | 'after-fence'
  | 'in-restore'

export interface ToProcess {
  readonly plan: Plan
  readonly env: Record<string, string>
  /** What it does to itself at a step: of its beginning, or of the first commit of outputs after it was armed. */
  readonly trap?: { readonly step: Step; readonly signal: 'SIGKILL' | 'SIGSTOP' }
}

/** A service in a process of its own, to be killed or frozen. */
export interface ServiceProcess {
  readonly pid: number
  readonly log: readonly LogLine[]
  /** How it ended: an exit code or a signal, or that it has not after 20 s. */
  readonly exited: Promise<string>
  readonly isStopped: boolean
  /** From now on the trap of a commit's step is set. */
  arm(): Promise<void>
  /** Asks it to stop, and waits until it has. */
  stop(): Promise<string>
  kill(): Promise<void>
}

const patienceMs = 20_000

export function startProcess(options: ToProcess): ServiceProcess {
  const program = fileURLToPath(new URL('service-process.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  const log: LogLine[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => {
    if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine)
    else process.stderr.write(`${line}\n`)
  })
  const exit = once(child, 'exit').then(([code, signal]) => String(signal ?? code))
  return {
    pid: child.pid!,
    log,
    get exited() {
      return Promise.race([exit, sleep(patienceMs, 'still alive', { ref: false })])
    },
    get isStopped() {
      return /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))
    },
    async arm() {
      const armed = once(child, 'message')
      child.send('arm')
      await armed
    },
    async stop() {
      child.kill('SIGTERM')
      return exit
    },
    async kill() {
      child.kill('SIGKILL')
      await exit
    },
  }
}
