import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { type Content, found, type Level, readContent } from './content.ts'
import { isCorrupt, storeFailure } from './failures.ts'
import { saltOf } from './seal.ts'
import { verifyFiles } from './verify.ts'

/**
 * A changelog forgets removals one day after they were compacted (`delete.retention.ms`), so a store that has not been
 * written for longer would keep what was removed. Half of it leaves room for clocks that differ and for the restore.
 */
const maxAgeMs = 12 * 3_600_000

export interface Opened {
  readonly level: Level
  readonly content: Content
  readonly damage: string | undefined
}

/**
 * Opens the LevelDB in `folder`, made if it is missing. It is verified first; what does not verify is not repaired but
 * emptied, and `damage` says what was found.
 * @throws TM_STORE when the machine refuses, or another process has it open
 */
export async function openLevel(folder: string, identity: string, nowMs: number): Promise<Opened> {
  try {
    await mkdir(folder, { recursive: true })
    const sound = await openSound(folder, identity, nowMs)
    if (typeof sound !== 'string') return { ...sound, damage: undefined }
    await emptyFolder(folder)
    const level = await openFiles(folder)
    return { level, content: await found(level, identity, nowMs), damage: sound }
  } catch (error) {
    throw storeFailure(folder, error)
  }
}

/** Removes everything in a folder, by LevelDB's own hand first, because that refuses what another process has open. */
export async function emptyFolder(folder: string): Promise<void> {
  await ClassicLevel.destroy(folder)
  await rm(folder, { recursive: true, force: true })
}

/**
 * Closes a LevelDB and removes it. Without CURRENT the folder does not verify, so that a process which dies halfway
 * leaves nothing behind that could be taken for a store.
 */
export async function removeOpen(level: Level): Promise<void> {
  await rm(join(level.location, 'CURRENT'), { force: true })
  await level.close()
  await emptyFolder(level.location)
}

async function openSound(
  folder: string,
  identity: string,
  nowMs: number,
): Promise<{ level: Level; content: Content } | string> {
  const damage = await verifyFiles(folder)
  if (damage !== undefined) return damage
  let level: Level | undefined
  try {
    level = await openFiles(folder)
    const content = await readContent(level, saltOf(identity), identity, 'log')
    if (content === undefined) return { level, content: await found(level, identity, nowMs) }
    const problem = typeof content === 'string' ? content : tooOld(content, nowMs)
    if (typeof content !== 'string' && problem === undefined) return { level, content }
    await level.close()
    return problem ?? 'unknown'
  } catch (error) {
    await level?.close()
    if (isCorrupt(error)) return storeFailure(folder, error).message
    throw error
  }
}

/** Without compression, so that {@link verifyFiles} can read the index of a table, and reads are cheaper. */
async function openFiles(folder: string): Promise<Level> {
  const level: Level = new ClassicLevel(folder, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    compression: false,
  })
  await level.open()
  return level
}

function tooOld({ meta, log }: Content, nowMs: number): string | undefined {
  const { sequence, atMs } = log.at(-1) ?? { sequence: meta.sweptTo, atMs: meta.atMs }
  const hours = Math.floor((nowMs - atMs) / 3_600_000)
  if (sequence === 0 || nowMs - atMs <= maxAgeMs) return undefined
  return `it was last written ${hours} hours ago, and its changelog may have forgotten removals since`
}
