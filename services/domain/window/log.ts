import type { Draft } from '../draft.ts'
import type { Value } from '../event/contract.ts'
import type { Data, EventTime } from '../operator.ts'

/** An event's time and the inputs that the aggregates over this log take from it. */
export type Entry = readonly [time: EventTime, ...inputs: Value[]]

/**
 * A log of entries in (time, arrival) order, in chunks, so that a commit writes the chunk that grew and never the
 * whole window. Chunks are linked both ways: readers walk from the end, expiry from the beginning.
 */
export interface Log {
  readonly key: string
  /** For how long of event time an entry is kept. */
  readonly retentionMs: number
}

type Chunk = {
  readonly before: number | null
  readonly after: number | null
  readonly entries: readonly Entry[]
}
type Head = { readonly first: number; readonly last: number; readonly next: number }

/** 16 entries of about 20 bytes: what one new entry makes a commit write stays under half a kilobyte. */
const chunkEntries = 16

/** Puts an entry behind all that are not younger, so entries with the same time keep the order of their arrival. */
export function insert(draft: Draft, log: Log, entry: Entry): void {
  const head = draft.get(log.key) as Head | undefined
  if (head === undefined) {
    draft.put(log.key, { first: 0, last: 0, next: 1 })
    putChunk(draft, log, 0, { before: null, after: null, entries: [entry] })
    draft.wake(entry[0] + log.retentionMs, log.key)
    return
  }
  let id = head.last
  let chunk = chunkOf(draft, log, id)
  while (chunk.before !== null && chunk.entries[0]![0] > entry[0]) {
    id = chunk.before
    chunk = chunkOf(draft, log, id)
  }
  let at = chunk.entries.length
  while (at > 0 && chunk.entries[at - 1]![0] > entry[0]) at -= 1
  const entries = chunk.entries.toSpliced(at, 0, entry)
  if (entries.length <= chunkEntries) putChunk(draft, log, id, { ...chunk, entries })
  else split(draft, log, id, { ...chunk, entries })
}

/** All entries in (after, upTo], oldest first. */
export function entriesWithin(draft: Draft, log: Log, after: EventTime, upTo: EventTime): Entry[] {
  const found: Entry[] = []
  const head = draft.get(log.key) as Head | undefined
  for (let id = head?.last ?? null; id !== null; ) {
    const { before, entries } = chunkOf(draft, log, id)
    for (let at = entries.length - 1; at >= 0; at--) {
      const entry = entries[at]!
      if (entry[0] <= after) return found.reverse()
      if (entry[0] <= upTo) found.push(entry)
    }
    id = before
  }
  return found.reverse()
}

/** Drops the chunks whose entries have all been kept long enough, and asks to be woken for the next one. */
export function expire(draft: Draft, log: Log, watermark: EventTime): void {
  const head = draft.get(log.key) as Head | undefined
  for (let id = head?.first ?? null; id !== null; ) {
    const chunk = chunkOf(draft, log, id)
    const expiry = chunk.entries.at(-1)![0] + log.retentionMs
    if (expiry > watermark) {
      if (chunk.before !== null) putChunk(draft, log, id, { ...chunk, before: null })
      if (head!.first !== id) draft.put(log.key, { ...head!, first: id })
      draft.wake(expiry, log.key)
      return
    }
    draft.put(chunkKey(log, id), undefined)
    id = chunk.after
  }
  draft.put(log.key, undefined)
}

/** Two chunks out of one that grew too long: an append leaves the old one full, an insertion halves it. */
function split(draft: Draft, log: Log, id: number, chunk: Chunk): void {
  const head = draft.get(log.key) as Head
  const right = head.next
  const appended = chunk.after === null
  const middle = appended ? chunkEntries : Math.ceil(chunk.entries.length / 2)
  putChunk(draft, log, id, { ...chunk, after: right, entries: chunk.entries.slice(0, middle) })
  putChunk(draft, log, right, { before: id, after: chunk.after, entries: chunk.entries.slice(middle) })
  if (chunk.after !== null) {
    putChunk(draft, log, chunk.after, { ...chunkOf(draft, log, chunk.after), before: right })
  }
  draft.put(log.key, { ...head, last: appended ? right : head.last, next: right + 1 })
}

function chunkOf(draft: Draft, log: Log, id: number): Chunk {
  return draft.get(chunkKey(log, id)) as Chunk
}

function putChunk(draft: Draft, log: Log, id: number, chunk: Chunk): void {
  draft.put(chunkKey(log, id), chunk satisfies Data)
}

function chunkKey(log: Log, id: number): string {
  return `${log.key}|${id}`
}
