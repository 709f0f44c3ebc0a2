import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { supervise } from '../../deploy/local/supervision.ts'
import type { Member } from './family.ts'
import { aliveOf, descendantsOf, holds, survivors } from './family.ts'

const file = new URL('./held-parent.ts', import.meta.url).pathname
const hasDeathSignal = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0

interface Held {
  readonly parent: ChildProcess
  readonly folder: string
  /** The supervisor, `sleep`, and a shell with a `sleep` of its own. */
  readonly family: Member[]
  readonly supervisor: Member
  /** The programs that the supervisor started itself. */
  readonly programs: Member[]
}

async function heldParent(): Promise<Held> {
  const parent = spawn(process.execPath, ['--no-warnings', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let family: Member[] = []
  onTestFinished(() => {
    parent.kill('SIGKILL')
    // A test that fails has found survivors.
    for (const { pid } of aliveOf(family)) process.kill(pid, 'SIGKILL')
  })
  const [line] = (await once(createInterface(parent.stdout!), 'line')) as [string]
  const { folder, pids } = JSON.parse(line) as { folder: string; pids: number[] }
  expect(await holds(() => descendantsOf(parent.pid!).length === 4, 5_000)).toBe(true)
  family = descendantsOf(parent.pid!)
  const supervisor = family.find(({ command }) => command.includes('supervisor'))!
  return { parent, folder, family, supervisor, programs: family.filter(({ pid }) => pids.includes(pid)) }
}

it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
  'nothing outlives a parent that gets %s',
  async (signal) => {
    const { parent, folder, family } = await heldParent()
    parent.kill(signal)
    expect(await survivors(family, 5_000)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  },
)

it('SIGINT for the supervisor is not meant for it', async () => {
  const { parent, family, supervisor } = await heldParent()
  process.kill(supervisor.pid, 'SIGINT')
  process.kill(supervisor.pid, 'SIGHUP')
  expect(await survivors(family, 300)).toEqual(family)
  parent.kill('SIGKILL')
  expect(await survivors(family, 5_000)).toEqual([])
})

it('nothing outlives a supervisor that gets SIGKILL while its parent lives', async () => {
  const { parent, folder, family, supervisor } = await heldParent()
  process.kill(supervisor.pid, 'SIGKILL')
  expect(await survivors(family, 5_000)).toEqual([])
  expect(await holds(() => !existsSync(folder), 5_000)).toBe(true)
  parent.kill('SIGKILL')
})

it.runIf(hasDeathSignal)('no direct child outlives parent and supervisor killed at once', async () => {
  const { parent, folder, supervisor, programs } = await heldParent()
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  // Stopped first, so that it does not see its parent go.
  process.kill(supervisor.pid, 'SIGSTOP')
  parent.kill('SIGKILL')
  process.kill(supervisor.pid, 'SIGKILL')
  expect(programs).toHaveLength(2)
  expect(await survivors(programs, 5_000)).toEqual([])
})

it('a program writes to its log, and how it ended is told', async () => {
  await using supervision = supervise()
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const logFile = join(folder, 'log')
  const program = { cwd: folder, env: { PATH: process.env.PATH ?? '' }, logFile }
  const shell = await supervision.start('a', {
    ...program,
    command: 'sh',
    args: ['-c', 'echo out; echo err >&2; exit 3'],
  })
  expect(await shell.ended).toBe('exit code 3')
  expect(shell.hasEnded()).toBe(true)
  expect(readFileSync(logFile, 'utf8')).toBe('out\nerr\n')
  const sleeper = await supervision.start('a', { ...program, command: 'sleep', args: ['600'] })
  sleeper.signal('SIGTERM')
  expect(await sleeper.ended).toBe('SIGTERM')
})

it('a program that does not exist is an error that names it', async () => {
  await using supervision = supervise()
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-none-'))
  supervision.ownFolder(folder)
  const program = { command: 'no-such-program', args: [], cwd: folder, env: {}, logFile: join(folder, 'log') }
  const failure = await supervision.start('a', program).then(
    async (running) => `it ran and ended with ${await running.ended}`,
    (error: Error) => error.message,
  )
  expect(failure).toMatch(/no-such-program did not start|ended with exit code 127/)
})
