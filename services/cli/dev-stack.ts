import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSameProcess, processStart } from '../../deploy/local/process.ts'

interface DevStack {
  readonly pid: number
  readonly start: string
  readonly brokers: string
  readonly registry: string
}

/** Lets other commands find the stack of this process for as long as it runs. */
export function announceDevStack(cache: string, stack: { brokers: string; registry: string }): void {
  const { brokers, registry } = stack
  mkdirSync(cache, { recursive: true })
  const state: DevStack = { pid: process.pid, start: processStart(process.pid), brokers, registry }
  // The address of a registry may hold credentials.
  writeFileSync(fileIn(cache), JSON.stringify(state), { mode: 0o600 })
}

/** Another `dev` may have been announced meanwhile: its record stays. */
export function forgetDevStack(cache: string): void {
  if (readDevStack(cache)?.pid === process.pid) rmSync(fileIn(cache), { force: true })
}

/** The stack of a `tidemark dev` that runs now. */
export function readDevStack(cache: string): DevStack | undefined {
  try {
    const state = JSON.parse(readFileSync(fileIn(cache), 'utf8')) as DevStack
    return isSameProcess(state.pid, state.start) ? state : undefined
  } catch {
    return undefined
  }
}

function fileIn(cache: string): string {
  return join(cache, 'dev.json')
}
