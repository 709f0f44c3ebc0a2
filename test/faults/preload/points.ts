import { closeSync, openSync, writeSync } from 'node:fs'
import {
  type Arm,
  type CommitReport,
  type Commits,
  type Hit,
  type Order,
  type Point,
  variables,
} from './protocol.ts'

const arms: Arm[] = []
const passed = new Map<number, number>()
const commits = new Map<string, Commits>()

/** How often the parent hears of commits. */
const reportMs = 100

/** Takes orders from the parent, and tells it of commits, without keeping the process alive. */
export function listen(): void {
  const armed = process.env[variables.arm]
  if (armed !== undefined) arms.push(...(JSON.parse(armed) as Arm[]))
  if (!process.send) return
  process.on('message', (order: Order) => {
    if (order.faults === 'arm') arms.push(order.arm)
    if (order.faults === 'disarm') disarm(order.token)
  })
  process.channel?.unref()
  setInterval(report, reportMs).unref()
}

/** A task of this transactional id is at this step: now is the time for what was ordered. */
export function reach(step: Point, transactionalId: string): void {
  for (const arm of arms) {
    if (arm.step !== step || (arm.stage !== null && stageOf(transactionalId) !== arm.stage)) continue
    const times = (passed.get(arm.token) ?? 0) + 1
    passed.set(arm.token, times)
    if (times < arm.nth) continue
    disarm(arm.token)
    writeHit({ token: arm.token, step, transactionalId, pid: process.pid, atMs: Date.now() })
    process.kill(process.pid, arm.action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
    return
  }
}

export function committed(transactionalId: string): void {
  const nowMs = Date.now()
  const { firstMs, count } = commits.get(transactionalId) ?? { firstMs: nowMs, count: 0 }
  commits.set(transactionalId, { id: transactionalId, firstMs, lastMs: nowMs, count: count + 1 })
}

/** `shop.ingest-v1.3` → `ingest-v1`. */
export function stageOf(transactionalId: string): string {
  return transactionalId.split('.').at(-2) ?? ''
}

function disarm(token: number): void {
  const at = arms.findIndex((arm) => arm.token === token)
  if (at >= 0) arms.splice(at, 1)
}

/** Written at once: a process that is about to be killed sends nothing any more. */
function writeHit(hit: Hit): void {
  const file = process.env[variables.hits]
  if (file === undefined) return
  const handle = openSync(file, 'a')
  writeSync(handle, `${JSON.stringify(hit)}\n`)
  closeSync(handle)
}

function report(): void {
  if (commits.size === 0 || !process.connected) return
  const news: CommitReport = { faults: 'commits', commits: [...commits.values()] }
  commits.clear()
  process.send?.(news, undefined, undefined, () => {})
}
