import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { tidemarkError } from '../../services/runtime/errors.ts'
import { cacheFolder } from './cache.ts'
import { askBrokerIds } from './handshake.ts'
import { withLock } from './lock.ts'
import { lastLines } from './log-file.ts'
import { isSameProcess, processStart } from './process.ts'
import type { Stack, StackNode } from './stack.ts'

type Env = Readonly<Record<string, string | undefined>>

/** A stack that runs in the background, as its owner wrote it down. */
export interface Background {
  /** The process that owns the stack: when it ends, however it ends, so does the stack. */
  readonly pid: number
  readonly start: string
  readonly rung: Stack['rung']
  readonly brokers: string
  readonly registry: string
  readonly nodes: readonly StackNode[]
}

/** What the owner tells the one who started it. */
export type OwnerNews =
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

/** The background stack that runs now, or null. A state file whose owner is gone is removed. */
export function readBackground(env: Env): Background | null {
  const file = stateFile(env)
  const state = parse(file)
  if (state && isSameProcess(state.pid, state.start)) return state
  rmSync(file, { force: true })
  return null
}

/**
 * Starts a stack that outlives this process, or finds the one that runs. Interrupted before it is ready, it leaves
 * nothing: the owner gives up when the one who waits for it goes away.
 */
export function startBackground(
  env: Env,
  nodes: 1 | 3,
  onProgress: (line: string) => void,
): Promise<{ background: Background; isNew: boolean }> {
  const onWait = () => onProgress('another command is at work on the background broker, waiting for it')
  return withLock(join(cacheFolder(env), 'broker.lock'), onWait, async () => {
    const found = readBackground(env)
    if (found) return { background: found, isNew: false }
    await startOwner(env, nodes, onProgress)
    const background = readBackground(env)
    if (!background)
      throw tidemarkError('TM_BROKER_AWAY', `the background broker ended at once; see ${ownerLog(env)}`)
    return { background, isNew: true }
  })
}

/** Ends the background stack; resolves with what ran, or null, when its processes are gone. */
export async function stopBackground(env: Env, patienceMs = 20_000): Promise<Background | null> {
  const state = readBackground(env)
  if (!state) return null
  process.kill(state.pid, 'SIGTERM')
  const deadline = performance.now() + patienceMs
  while (isSameProcess(state.pid, state.start)) {
    if (performance.now() > deadline) process.kill(state.pid, 'SIGKILL')
    await sleep(50)
  }
  rmSync(stateFile(env), { force: true })
  return state
}

/** How many of the brokers answer now, and whether the registry does. */
export async function whoAnswers({
  brokers,
  registry,
}: Pick<Background, 'brokers' | 'registry'>): Promise<{ brokers: number; registry: boolean }> {
  const asked = brokers.split(',').map((broker) => {
    const colon = broker.lastIndexOf(':')
    return askBrokerIds({ host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) })
  })
  const config = fetch(`${registry}/config`, { signal: AbortSignal.timeout(2_000) })
  const [answers, answer] = await Promise.all([Promise.allSettled(asked), config.catch(() => null)])
  return {
    brokers: answers.filter((each) => each.status === 'fulfilled').length,
    registry: answer?.ok ?? false,
  }
}

/** Written by the owner when its stack is ready. The file appears whole or not at all. */
export function writeBackground(env: Env, stack: Stack): void {
  const { rung, brokers, registry, nodes } = stack
  const state: Background = {
    pid: process.pid,
    start: processStart(process.pid),
    rung,
    brokers,
    registry,
    nodes,
  }
  const file = stateFile(env)
  writeFileSync(`${file}.new`, JSON.stringify(state))
  renameSync(`${file}.new`, file)
}

export function forgetBackground(env: Env): void {
  if (parse(stateFile(env))?.pid === process.pid) rmSync(stateFile(env), { force: true })
}

async function startOwner(env: Env, nodes: 1 | 3, onProgress: (line: string) => void): Promise<void> {
  const file = fileURLToPath(new URL(`./owner${extname(import.meta.url)}`, import.meta.url))
  mkdirSync(dirname(ownerLog(env)), { recursive: true })
  const log = openSync(ownerLog(env), 'w')
  const owner = fork(file, [String(nodes)], {
    cwd: '/',
    detached: true,
    // Its working folder is another one, so a relative folder would mean another place there.
    env: { ...env, TIDEMARK_CACHE: cacheFolder(env) },
    execArgv: ['--no-warnings'],
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  try {
    await ready(owner, env, onProgress)
  } finally {
    if (owner.connected) owner.disconnect()
    owner.unref()
  }
}

function ready(owner: ChildProcess, env: Env, onProgress: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    owner.on('message', (news: OwnerNews) => {
      if (news.kind === 'progress') onProgress(news.line)
      else if (news.kind === 'ready') resolve()
      else reject(Object.assign(new Error(news.message), { code: news.code, name: 'TidemarkError' }))
    })
    owner.on('error', reject)
    owner.on('exit', () => {
      const detail = `the background broker ended before it was ready:\n${lastLines(ownerLog(env))}`
      reject(tidemarkError('TM_BROKER_AWAY', detail))
    })
  })
}

function ownerLog(env: Env): string {
  return join(cacheFolder(env), 'broker.log')
}

function stateFile(env: Env): string {
  return join(cacheFolder(env), 'broker.json')
}

function parse(file: string): Background | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Background
  } catch {
    return null
  }
}
