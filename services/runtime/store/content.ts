import { setImmediate as breath } from 'node:timers/promises'
import type { ClassicLevel } from 'classic-level'
import type { Generation } from './overlay.ts'
import { type Batch, openBatch, openEntry, sealBatch, sealEntry } from './seal.ts'

/** A LevelDB holds entries, then the log of batches that are not yet in entries, then one record about both. */
export type Level = ClassicLevel<string, Buffer>

/** Raised when what a store holds is written in another way; a store of another format is rebuilt. */
const format = 1
const entryPrefix = 'e'
const logPrefix = 'l'
const metaKey = 'm'

/** About the store as a whole; changed by every sweep, in the same batch. */
export interface Meta {
  readonly format: number
  readonly identity: string
  /** The last batch whose changes are among the entries. */
  readonly sweptTo: number
  /** When that batch was applied. */
  readonly atMs: number
}

export interface Content {
  readonly meta: Meta
  /** The batches behind `sweptTo`, in order, without a gap. */
  readonly log: readonly Batch[]
  readonly logBytes: number
}

export function entryKey(key: string): string {
  return entryPrefix + key
}

/** The keys with a prefix as they are now, in byte order, whatever is written while they are listed. */
export async function entryKeys(level: Level, prefix: string, from = prefix, limit = -1): Promise<string[]> {
  const gte = Buffer.from(entryKey(from))
  // No byte of UTF-8 is 0xff, so this is behind every key with the prefix.
  const lt = Buffer.concat([Buffer.from(entryKey(prefix)), Buffer.of(0xff)])
  const keys = await level.keys<Buffer>({ gte, lt, limit, keyEncoding: 'buffer' }).all()
  return keys.map((key) => key.toString('utf8', 1))
}

/**
 * Reads what is behind the entries, or with `'all'` the entries, too, and verifies all that it reads.
 * Gives undefined for a LevelDB in which nothing has ever been written, and what is wrong as a text.
 */
export async function readContent(
  level: Level,
  salt: number,
  identity: string,
  what: 'log' | 'all',
): Promise<Content | undefined | string> {
  await using snapshot = level.snapshot()
  const bytes = await level.get(metaKey, { snapshot })
  if (bytes === undefined) {
    const some = await level.keys({ snapshot, limit: 1 }).all()
    return some.length === 0 ? undefined : 'it does not say whose it is'
  }
  const meta = readMeta(bytes)
  if (meta === undefined) return 'a wrong checksum where it says whose it is'
  if (meta.format !== format) return `format ${meta.format} instead of ${format}`
  if (meta.identity !== identity) return `it is the store of ${meta.identity} instead of ${identity}`
  const log: Batch[] = []
  let logBytes = 0
  await using iterator = level.iterator(what === 'all' ? { snapshot } : { snapshot, gte: logPrefix })
  for (;;) {
    const chunk = await iterator.nextv(1000)
    if (chunk.length === 0) break
    for (const [key, value] of chunk) {
      if (key.startsWith(entryPrefix)) {
        if (!openEntry(salt, key.slice(1), value)) return 'an entry with a wrong checksum'
      } else if (key.startsWith(logPrefix)) {
        const batch = openBatch(salt, value)
        if (batch === undefined || logKey(batch.sequence) !== key) return 'a batch with a wrong checksum'
        if (batch.sequence !== meta.sweptTo + 1 + log.length) {
          return `batches are missing before batch ${batch.sequence}`
        }
        log.push(batch)
        logBytes += value.length
      } else if (key !== metaKey) return 'a key of another format'
    }
  }
  return { meta, log, logBytes }
}

/** Makes a LevelDB in which nothing has ever been written the store of a task. */
export async function found(level: Level, identity: string, atMs: number): Promise<Content> {
  const meta = { format, identity, sweptTo: 0, atMs }
  await level.put(metaKey, sealMeta(meta))
  return { meta, log: [], logBytes: 0 }
}

/** Everything that an `apply` was given, as one value. */
export async function writeBatch(level: Level, salt: number, batch: Batch): Promise<void> {
  await level.put(logKey(batch.sequence), sealBatch(salt, batch))
}

/** How far a sweep goes: to a batch, whose time it keeps; to a batch that is in the log. */
export interface Sweep {
  readonly sweptTo: number
  readonly loggedTo: number
  readonly atMs: number
}

/** Writes the last value per key as entries and removes the log behind them, all in one batch; gives the new meta. */
export async function writeSweep(
  level: Level,
  salt: number,
  before: Meta,
  { changes }: Generation,
  { sweptTo, loggedTo, atMs }: Sweep,
): Promise<Meta> {
  const meta = { ...before, sweptTo, atMs }
  const batch = level.batch()
  let count = 0
  for (const [key, value] of changes) {
    if (value === null) batch.del(entryKey(key))
    else batch.put(entryKey(key), sealEntry(salt, key, value))
    count += 1
    // Other tasks of the process have their turns in between.
    if (count % 1000 === 0) await breath()
  }
  for (let sequence = before.sweptTo + 1; sequence <= loggedTo; sequence += 1) batch.del(logKey(sequence))
  batch.put(metaKey, sealMeta(meta))
  await batch.write()
  return meta
}

/** Fixed width, so that the order of the keys is the order of the batches. */
function logKey(sequence: number): string {
  return logPrefix + sequence.toString(16).padStart(14, '0')
}

function sealMeta(meta: Meta): Buffer {
  return sealEntry(0, metaKey, Buffer.from(JSON.stringify(meta)))
}

function readMeta(bytes: Buffer): Meta | undefined {
  const value = openEntry(0, metaKey, bytes)
  return value && (JSON.parse(value.toString()) as Meta)
}
