import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSameProcess, processStart } from './process.ts'

/**
 * Does the work while no other process of this machine does it under the same lock file. The file names its owner; one
 * whose owner is dead is taken over.
 */
export async function withLock<T>(file: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true })
  let waited = false
  while (!acquire(file)) {
    if (!waited) onWait()
    waited = true
    await sleep(100)
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

/** The file appears whole under its name or not at all, so no reader sees an owner half written. */
function acquire(file: string): boolean {
  const mine = `${file}.${randomUUID()}`
  writeFileSync(mine, `${process.pid} ${processStart(process.pid)}`)
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if (!isExists(error)) throw error
    removeIfDead(file)
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

function removeIfDead(file: string): void {
  const seen = read(file)
  if (seen === null || isAlive(seen)) return
  // Only one of several waiters can move a given file away; one that moved a newer lock by mistake puts it back.
  const moved = `${file}.${randomUUID()}`
  try {
    renameSync(file, moved)
    if (read(moved) !== seen) linkSync(moved, file)
  } catch {
    // Another waiter was faster.
  } finally {
    rmSync(moved, { force: true })
  }
}

function isAlive(owner: string): boolean {
  const space = owner.indexOf(' ')
  return isSameProcess(Number(owner.slice(0, space)), owner.slice(space + 1))
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function isExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}
