import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSameProcess, processStart } from '../../deploy/local/process.ts'

/** A process named for ever: ids are given out again. */
export interface Member {
  readonly pid: number
  readonly start: string
  readonly command: string
}

/** All processes that this one has started, and those that they have started, as `ps` shows them. */
export function descendantsOf(pid: number): Member[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row))
    .filter((row) => row !== null)
    .map(([, own, parent, command]) => ({ pid: Number(own), parent: Number(parent), command: command ?? '' }))
  const found = [pid]
  for (const member of found) {
    found.push(...rows.filter(({ parent }) => parent === member).map((row) => row.pid))
  }
  return rows
    .filter((row) => row.pid !== pid && found.includes(row.pid))
    .map((row) => ({ pid: row.pid, start: processStart(row.pid), command: row.command }))
    .filter(({ start }) => start !== '')
}

export function aliveOf(family: readonly Member[]): Member[] {
  return family.filter(({ pid, start }) => isSameProcess(pid, start))
}

/** Those of the family that are still there when the time is up. */
export async function survivors(family: readonly Member[], withinMs: number): Promise<Member[]> {
  return (await holds(() => aliveOf(family).length === 0, withinMs)) ? [] : aliveOf(family)
}

/** Looks until it is so, or until the time is up; whether it came to be so. */
export async function holds(condition: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > deadline) return false
    await sleep(20)
  }
  return true
}
