import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { withLock } from '../../deploy/local/lock.ts'
import { processStart } from '../../deploy/local/process.ts'

function lockFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'lock')
}

it('one at a time, and who waits is told once', async () => {
  const file = lockFile()
  let inside = 0
  let most = 0
  let told = 0
  const work = async () => {
    inside++
    most = Math.max(most, inside)
    await sleep(30)
    inside--
  }
  await Promise.all([1, 2, 3].map(() => withLock(file, () => told++, work)))
  expect(most).toBe(1)
  expect(told).toBe(2)
  expect(existsSync(file)).toBe(false)
})

it('work that fails gives the lock back', async () => {
  const file = lockFile()
  await expect(
    withLock(
      file,
      () => {},
      () => Promise.reject(new Error('no')),
    ),
  ).rejects.toThrow('no')
  expect(
    await withLock(
      file,
      () => {},
      () => Promise.resolve('yes'),
    ),
  ).toBe('yes')
})

it.each([
  ['whose process is gone', '4194305 1234'],
  ['whose process id now belongs to another', `${process.pid} 1`],
])('a lock %s is taken over', async (_, owner) => {
  const file = lockFile()
  writeFileSync(file, owner)
  expect(
    await withLock(
      file,
      () => {},
      () => Promise.resolve('mine'),
    ),
  ).toBe('mine')
  expect(readdirSync(join(file, '..'))).toEqual([])
})

it('a lock of a living process is waited for', async () => {
  const file = lockFile()
  writeFileSync(file, `${process.ppid} ${processStart(process.ppid)}`)
  let told = false
  const waiting = withLock(
    file,
    () => {
      told = true
    },
    () => Promise.resolve('mine'),
  )
  expect(await Promise.race([waiting, sleep(250, 'still waiting')])).toBe('still waiting')
  expect(told).toBe(true)
  rmSync(file)
  expect(await waiting).toBe('mine')
})
