import { type TidemarkError, tidemarkError } from '../errors.ts'
import { entryKey, entryKeys, type Level, readContent } from './content.ts'
import { isCorrupt, storeFailure } from './failures.ts'
import { openLevel, removeOpen } from './open.ts'
import { byBytes, merged } from './order.ts'
import { openEntry, saltOf } from './seal.ts'
import type { KeyRange, Store } from './store.ts'
import { verifyFiles } from './verify.ts'
import { createStoreWriter, type StoreWriter, type WriterOptions } from './writer.ts'

/**
 * A LevelDB in `folder` that belongs to `identity`, made if it is missing and emptied if it does not verify.
 *
 * It is written as a log: an `apply` is one value, and its changes stay in memory, in an overlay, until a sweep writes
 * the last one of each key as entries and removes the log behind them, in one batch. A key that changes often is
 * written once per sweep. Reads are synchronous, because a turn is; writes are not forced to disk, because what a power
 * cut loses is replayed from the changelog. Closing does not sweep: opening reads the log back.
 * @throws TM_STORE when the machine refuses, or another process has it open
 */
export async function levelStore(
  folder: string,
  identity: string,
  options: WriterOptions = {},
): Promise<Store> {
  const { now = Date.now } = options
  const salt = saltOf(identity)
  const open = async () => {
    const { level, content, damage } = await openLevel(folder, identity, now())
    return { level, damage, writer: createStoreWriter(level, salt, content, options) }
  }
  let { level, damage, writer } = await open()

  return {
    damage,
    get pendingBytes() {
      return writer.overlay.keptBytes
    },
    get: (key) => get(level, writer, salt, key),
    keys: (prefix, range) => keys(level, writer, prefix, range),
    apply: (changes) => writer.apply(changes),
    async check() {
      await writer.settled()
      writer.demand()
      const checked = level
      // Cleared meanwhile: what was found, or failed, is of a store that is gone.
      const found = await check(checked, salt, identity).catch((error: unknown) => {
        if (checked === level) throw error
        return undefined
      })
      return checked === level ? found : undefined
    },
    async clear() {
      await writer.settled()
      await removeOpen(level).catch((error: unknown) => {
        throw storeFailure(folder, error)
      })
      ;({ level, writer } = await open())
    },
    async close() {
      await writer.settled()
      await level.close()
    },
  }
}

function get(level: Level, writer: StoreWriter, salt: number, key: string): Buffer | undefined {
  writer.demand()
  const change = writer.overlay.find(key)
  if (change !== undefined) return change ?? undefined
  const bytes = readSync(level, key)
  if (bytes === undefined) return undefined
  const value = openEntry(salt, key, bytes)
  if (value === undefined) throw damaged(level.location)
  return value
}

function readSync(level: Level, key: string): Buffer | undefined {
  try {
    return level.getSync(entryKey(key))
  } catch (error) {
    throw storeFailure(level.location, error)
  }
}

function damaged(folder: string): TidemarkError {
  return tidemarkError('TM_STORE_DAMAGED', `${folder}: an entry with a wrong checksum`)
}

async function keys(
  level: Level,
  writer: StoreWriter,
  prefix: string,
  { from = prefix, limit }: KeyRange = {},
): Promise<string[]> {
  writer.demand()
  // Both are taken before anything else can be applied or swept.
  const pending = writer.overlay.under(prefix)
  // So many more, because those that are pending come from the overlay or have been removed.
  const most = limit === undefined ? undefined : limit + pending.size
  const written = await entryKeys(level, prefix, from, most).catch((error: unknown) => {
    throw storeFailure(level.location, error)
  })
  const present = [...pending].flatMap(([key, isPresent]) =>
    isPresent && byBytes(key, from) >= 0 ? [key] : [],
  )
  return merged(
    written.filter((key) => !pending.has(key)),
    present.sort(byBytes),
  ).slice(0, limit)
}

/** The files first, because LevelDB does not notice all that is wrong with them; then what they hold. */
async function check(level: Level, salt: number, identity: string): Promise<string | undefined> {
  try {
    const found = (await verifyFiles(level.location)) ?? (await readContent(level, salt, identity, 'all'))
    return typeof found === 'string' ? found : undefined
  } catch (error) {
    const failure = storeFailure(level.location, error)
    if (isCorrupt(error)) return failure.message
    throw failure
  }
}
