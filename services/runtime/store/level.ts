import { mkdirSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'
import { tidemarkError } from '../errors.ts'
import type { Store } from './store.ts'

/**
 * A LevelDB in `folder`, made if it is missing. Reads are synchronous, because a turn is; writes are not
 * forced to disk, because what a power cut loses is replayed from the changelog.
 */
export async function levelStore(folder: string): Promise<Store> {
  const level = new ClassicLevel<string, Buffer>(folder, { keyEncoding: 'utf8', valueEncoding: 'buffer' })
  try {
    mkdirSync(folder, { recursive: true })
    await level.open()
  } catch (error) {
    throw tidemarkError('TM_STORE', folder, error)
  }
  return {
    get: (key) => level.getSync(key),
    keys: (prefix) => level.keys({ gte: prefix, lt: `${prefix}\u{10ffff}` }).all(),
    apply: async (changes) => {
      const batch = level.batch()
      for (const [key, value] of changes) {
        if (value === undefined) batch.del(key)
        else batch.put(key, value)
      }
      await batch.write()
    },
    clear: () => level.clear(),
    close: () => level.close(),
  }
}
