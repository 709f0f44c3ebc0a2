import type { TidemarkError } from '../errors.ts'
import { type Content, type Level, writeBatch, writeSweep } from './content.ts'
import { storeFailure } from './failures.ts'
import { costOf, createOverlay, type Overlay } from './overlay.ts'
import type { Change } from './store.ts'

export interface WriterOptions {
  /** The wall clock, in ms. */
  readonly now?: () => number
  /** Beyond this many bytes in memory the changes are written as entries. */
  readonly overlayBytes?: number
  /** Beyond this many bytes of log, too: opening reads the log back. */
  readonly logBytes?: number
}

/** A sweep with more keys than this share of the changes behind it has shown that a log does not pay. */
const repeatShare = 0.6

/** How many overlays of changes are then written as entries at once, before a log is tried again. */
const directOverlays = 8

/** The only one who writes to a LevelDB: batches to its log, and now and then a sweep. */
export interface StoreWriter {
  readonly overlay: Overlay
  apply(changes: Iterable<Change>): Promise<void>
  /** Throws what the first failed write threw: what is behind it on disk is unknown until the store is opened again. */
  demand(): void
  /** Resolves when nothing is on its way to the disk; never rejects. */
  settled(): Promise<void>
}

/** @param content what was read when the LevelDB was opened; its log goes into the overlay */
export function createStoreWriter(
  level: Level,
  salt: number,
  content: Content,
  { now = Date.now, overlayBytes = 4 << 20, logBytes = 16 << 20 }: WriterOptions,
): StoreWriter {
  const overlay = overlayOf(content)
  let { meta } = content
  let sequence = content.log.at(-1)?.sequence ?? meta.sweptTo
  let unsweptBytes = content.logBytes
  let unsweptChanges = content.log.reduce((sum, { changes }) => sum + changes.length, 0)
  let directBytes = 0
  let queue: Promise<void> = Promise.resolve()
  let broken: TidemarkError | undefined

  function demand(): void {
    if (broken) throw broken
  }

  /** One write after the other, and none behind one that failed. */
  function enqueue(write: () => Promise<void>): Promise<void> {
    const written = queue.then(async () => {
      demand()
      await write().catch((error: unknown) => {
        broken = storeFailure(level.location, error)
        throw broken
      })
    })
    queue = written.catch(() => {})
    return written
  }

  /** Takes what the overlay holds now; what is applied from here on goes into the next sweep. */
  function sweep(sweptTo: number, loggedTo: number, atMs: number): Promise<void> {
    const generation = overlay.rotate()
    if (sweptTo === loggedTo && generation.changes.size > unsweptChanges * repeatShare) {
      directBytes = directOverlays * overlayBytes
    }
    unsweptBytes = 0
    unsweptChanges = 0
    return enqueue(async () => {
      meta = await writeSweep(level, salt, meta, generation, { sweptTo, loggedTo, atMs })
      overlay.drop(generation)
    })
  }

  async function apply(changes: Iterable<Change>): Promise<void> {
    demand()
    const batch = { sequence: sequence + 1, atMs: now(), changes: [...changes] }
    if (batch.changes.length === 0) return
    sequence = batch.sequence
    let sizeBytes = 0
    for (const [key, value] of batch.changes) {
      overlay.put(key, value)
      sizeBytes += costOf(key, value)
    }
    unsweptChanges += batch.changes.length
    directBytes -= sizeBytes
    // Keys that do not come back before the next sweep are written once, as entries, rather than twice; and so is a
    // batch as large as those of a restore.
    if (directBytes > 0 || sizeBytes * 4 > overlayBytes) return sweep(sequence, sequence - 1, batch.atMs)
    const written = enqueue(() => writeBatch(level, salt, batch))
    unsweptBytes += sizeBytes
    if (overlay.newestBytes > overlayBytes || unsweptBytes > logBytes) {
      // Should it fail, the next call says so; this batch is in the log either way.
      sweep(sequence, sequence, batch.atMs).catch(() => {})
    }
    return written
  }

  return { overlay, apply, demand, settled: () => queue }
}

/** What the log of a store holds, copied, because a value would keep the memory of its whole batch. */
function overlayOf({ log }: Content): Overlay {
  const overlay = createOverlay()
  for (const { changes } of log) {
    for (const [key, value] of changes) overlay.put(key, value && Buffer.from(value))
  }
  return overlay
}
