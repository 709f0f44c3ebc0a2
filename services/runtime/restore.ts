import { type Changelog, checkpointKey, fenceKey, filledKey } from './changelog.ts'
import { tidemarkError } from './errors.ts'
import type { FetchAnswer, Fetcher, TopicPartition } from './kafka/fetch.ts'
import type { Change, Store } from './store/store.ts'
import { newProgress, type Progress } from './turns.ts'
import { type CheckpointRecord, progressOf } from './wire.ts'

export interface Restored {
  readonly progress: Progress
  /** Changelog records read behind the store's checkpoint; at least the fence of this life. */
  readonly replayed: number
  /** True when the store was not of this changelog and was rebuilt from its start. */
  readonly rebuilt: boolean
}

/** The task was closed before it was restored. */
export class RestoreAbandoned extends Error {}

export interface RestoreOptions {
  readonly store: Store
  readonly fetcher: Fetcher
  readonly changelog: Changelog
  readonly place: TopicPartition
  readonly now: () => number
  /** True when nobody waits for the store any more: what was restored so far is then left, and begun anew by the next. */
  isClosing?(): boolean
  /** Told after each answer: records read so far, and offsets still to go. */
  onProgress?(replayed: number, left: number): void
}

/**
 * Brings a store up to its changelog: what comes after the store's checkpoint, to the end. The end must be asked for
 * after the fence, or a record of the predecessor could still arrive behind it. The store's own checkpoint is read
 * again first: a changelog that does not have it there is another one, and the store is rebuilt from its start.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { store, fetcher, place, now } = options
  const name = `${place.topic}/${place.partition}`
  const end = (await fetcher.endOffsets([place], 'committed')).get(name) ?? 0
  const start = (await fetcher.startOffsets([place])).get(name) ?? 0
  const filled = Number(store.get(filledKey)?.toString() ?? -1)
  const known = readCheckpoint(store)
  let replayed: number | 'foreign' = 'foreign'
  if (known !== undefined && filled > start && filled <= end)
    replayed = await replay(options, filled - 1, end, { known, at: filled - 1 })
  const rebuilt = replayed === 'foreign' && (filled >= 0 || known !== undefined)
  if (replayed === 'foreign') {
    // What an interrupted restore has left is no state either: it has no checkpoint that could be looked for.
    if (rebuilt || (await store.keys('', { limit: 1 })).length > 0) await store.clear()
    replayed = Number(await replay(options, start, end, undefined))
  }
  const checkpoint = readCheckpoint(store)
  return { progress: checkpoint ? progressOf(checkpoint) : newProgress(now()), replayed, rebuilt }
}

/** What the store's checkpoint says, and the offset at which the changelog must hold it. */
interface Claim {
  readonly known: CheckpointRecord
  readonly at: number
}

/** Large answers, as a restore reads as much as there is. */
const fetchBytes = 8 * 1024 * 1024

/** Changelog records read, or `foreign` when the changelog turned out to be another one than the store's. */
async function replay(
  { store, fetcher, changelog, place, isClosing, onProgress }: RestoreOptions,
  from: number,
  end: number,
  claim: Claim | undefined,
): Promise<number | 'foreign'> {
  let replayed = 0
  let proven = claim === undefined
  let next = from < end ? ask(fetcher, place, from) : undefined
  while (next !== undefined) {
    const answer = await next
    if (isClosing?.()) throw new RestoreAbandoned()
    next = answer.nextOffset < end ? ask(fetcher, place, answer.nextOffset) : undefined
    // A failure of the answer after this one is met when its turn comes.
    next?.catch(() => undefined)
    await changelog.prepare(answer.records)
    const [first] = answer.records
    if (!proven && first !== undefined) {
      const entry = changelog.read(first)
      if (claim === undefined || !('checkpoint' in entry) || !agrees(claim, entry.checkpoint, first.offset))
        return 'foreign'
      proven = true
      answer.records.shift()
    }
    const changes = changesOf(answer, changelog)
    replayed += answer.records.length
    if (changes.length > 0) await store.apply(changes)
    onProgress?.(replayed, Math.max(0, end - answer.nextOffset))
  }
  return proven ? replayed : 'foreign'
}

async function ask(fetcher: Fetcher, place: TopicPartition, offset: number): Promise<FetchAnswer> {
  const options = { maxWaitMs: 100, maxBytes: fetchBytes, maxBytesPerPartition: fetchBytes }
  for (;;) {
    const [answer] = await fetcher.fetch([{ ...place, offset }], options)
    if (answer?.error)
      throw tidemarkError(
        'TM_INTERNAL_RECORD',
        `${place.topic}/${place.partition} at ${offset}: ${answer.error}`,
      )
    if (answer !== undefined) return answer
  }
}

/**
 * The changes of an answer. The checkpoint moves only together with the offset behind it; changes after the last
 * checkpoint of the answer may already be applied, because the next replay applies them again.
 */
function changesOf({ records }: FetchAnswer, changelog: Changelog): Change[] {
  const changes: Change[] = []
  for (const record of records) {
    const entry = changelog.read(record)
    if ('checkpoint' in entry) {
      changes.push([checkpointKey, Buffer.from(JSON.stringify(entry.checkpoint))])
      changes.push([filledKey, Buffer.from(String(record.offset + 1))])
    } else if (entry.change[0] !== fenceKey) changes.push(entry.change)
  }
  return changes
}

/**
 * The store's own checkpoint, where it must be. When compaction has taken it, it may have taken tombstones as well
 * that the store has not seen, so a store without its checkpoint in the changelog is not believed.
 */
function agrees({ known, at }: Claim, found: CheckpointRecord, offset: number): boolean {
  const { incarnation, position, index } = found
  return (
    offset === at && incarnation === known.incarnation && position === known.position && index === known.index
  )
}

function readCheckpoint(store: Store): CheckpointRecord | undefined {
  const bytes = store.get(checkpointKey)
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as CheckpointRecord)
}
