import { createRequire } from 'node:module'
import { reach, stageOf } from './points.ts'

/**
 * What the next write of a task's store will mean, by the end of the store's path: `ingest-v1/3`. A write behind a
 * fence is a restore's, a write behind a commit is that commit's, any other is nobody's concern.
 */
const expected = new Map<string, { step: 'in-restore' | 'after-store'; transactionalId: string }>()

export function beforeRestore(transactionalId: string): void {
  expected.set(placeOf(transactionalId), { step: 'in-restore', transactionalId })
}

/** What is written from here on is not a restore's. */
export function beforeWork(transactionalId: string): void {
  expected.delete(placeOf(transactionalId))
}

export function afterCommit(transactionalId: string): void {
  expected.set(placeOf(transactionalId), { step: 'after-store', transactionalId })
}

interface Located {
  readonly location: string
}

type Write = (this: Located, ...args: unknown[]) => Promise<unknown>

/** Wraps every way in which LevelDB is written to, below whatever interface our own store has. */
export function patchStore(): void {
  const require = createRequire(import.meta.url)
  const { ClassicLevel } = require('classic-level') as { ClassicLevel: { prototype: Record<string, Write> } }
  wrap(ClassicLevel.prototype, '_put', (level) => level.location)
  wrap(ClassicLevel.prototype, '_batch', (level) => level.location)
  const chained = require('classic-level/chained-batch.js') as {
    ChainedBatch: { prototype: Record<string, Write> }
  }
  wrap(chained.ChainedBatch.prototype, '_write', (batch) => (batch as unknown as { db: Located }).db.location)
}

function wrap(prototype: Record<string, Write>, name: string, locationOf: (on: Located) => string): void {
  const original = prototype[name]
  if (original === undefined) throw new Error(`classic-level has no ${name} to wrap`)
  prototype[name] = async function wrapped(...args) {
    const answer = await original.apply(this, args)
    written(locationOf(this))
    return answer
  }
}

function written(location: string): void {
  const place = location.split(/[/\\]/).slice(-2).join('/')
  const waiting = expected.get(place)
  if (waiting === undefined) return
  if (waiting.step === 'after-store') expected.delete(place)
  reach(waiting.step, waiting.transactionalId)
}

function placeOf(transactionalId: string): string {
  return `${stageOf(transactionalId)}/${transactionalId.split('.').at(-1)}`
}
