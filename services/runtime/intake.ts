import { brokenBatchHeader } from './dead-letter.ts'
import { tidemarkError } from './errors.ts'
import type { FetchAnswer, FetchedRecord } from './kafka/fetch.ts'
import type { StageInput } from './stage.ts'

/** What may wait in memory, per task: no more is fetched beyond it, and one answer brings at most 1 MiB. */
const queueLimit = 10_000
const queueBytes = 2_000_000

/** Where a task stands in its input: what has been fetched, and what is still there. */
export interface Intake {
  /** The offset to fetch next, or undefined while enough is waiting. */
  wants(): number | undefined
  /** Takes an answer to a fetch from `requested`; a stale one is dropped. True when records came. */
  offer(answer: FetchAnswer, requested: number): boolean
  /** Up to `count` records of about `sizeBytes` together, and at least one if there is one, in offset order. */
  take(count: number, sizeBytes: number): FetchedRecord[]
  readonly waiting: number
  /** Where the next fetch begins: behind all that was taken, and behind transaction markers and compacted records. */
  readonly next: number
  /** Records between the next fetch and the last stable offset that the broker told, and those that wait. */
  readonly lag: number
  /** Everything that the broker had committed has been taken. */
  readonly caughtUp: boolean
  /** Everything below `end` has been taken. */
  hasReached(end: number | undefined): boolean
}

export interface IntakeOptions {
  readonly input: StageInput
  readonly partition: number
  readonly position: number
  /** True for a task that has read nothing yet: it may begin wherever the log does. */
  readonly isNew: boolean
  fail(error: unknown): void
  /** A broken record batch of a user's topic was set aside. */
  onBroken(offset: number): void
}

export function createIntake({ input, partition, position, isNew, fail, onBroken }: IntakeOptions): Intake {
  const place = `${input.topic}/${partition}`
  const queue: FetchedRecord[] = []
  let waitingBytes = 0
  let fetchFrom = position
  let stableEnd: number | undefined

  /** A position below the log's start is normal for a new task; for any other it is a loss that is said aloud. */
  function outOfRange({ logStart }: FetchAnswer): void {
    if (isNew && fetchFrom === position) fetchFrom = logStart
    else fail(tidemarkError('TM_POSITION_LOST', `${place} at ${fetchFrom}, log start ${logStart}`))
  }

  /** A broken batch of a user's topic becomes a dead letter without bytes; one of our own stops the service. */
  function broken({ nextOffset, detail }: FetchAnswer): void {
    if (!input.source) {
      fail(
        tidemarkError('TM_INTERNAL_RECORD', `${place} at ${fetchFrom}: ${detail ?? 'broken record batch'}`),
      )
      return
    }
    onBroken(fetchFrom)
    const headers = { [brokenBatchHeader]: Buffer.from(detail ?? 'unknown') }
    const nothing = { timestamp: Date.now(), key: null, value: null, headers }
    add({ topic: input.topic, partition, offset: fetchFrom, ...nothing })
    fetchFrom = nextOffset
  }

  function add(record: FetchedRecord): void {
    queue.push(record)
    waitingBytes += sizeOf(record)
  }

  return {
    wants: () => (queue.length >= queueLimit || waitingBytes >= queueBytes ? undefined : fetchFrom),
    offer(answer, requested) {
      if (requested !== fetchFrom) return false
      const before = queue.length
      if (answer.error === 'offset-out-of-range') outOfRange(answer)
      else if (answer.error === 'undecodable') broken(answer)
      else {
        stableEnd = answer.lastStableOffset
        fetchFrom = Math.max(fetchFrom, answer.nextOffset)
        for (const record of answer.records) add(record)
      }
      return queue.length > before
    },
    take(count, sizeBytes) {
      let taken = 0
      let bytes = 0
      for (; taken < Math.min(count, queue.length) && (taken === 0 || bytes < sizeBytes); taken += 1)
        bytes += sizeOf(queue[taken]!)
      waitingBytes -= bytes
      return queue.splice(0, taken)
    },
    get waiting() {
      return queue.length
    },
    get next() {
      return fetchFrom
    },
    get lag() {
      return stableEnd === undefined ? queue.length : Math.max(0, stableEnd - fetchFrom) + queue.length
    },
    get caughtUp() {
      return queue.length === 0 && stableEnd !== undefined && fetchFrom >= stableEnd
    },
    hasReached: (end) => end !== undefined && queue.length === 0 && fetchFrom >= end,
  }
}

/** What a waiting record takes: its bytes, and the objects that hold them. */
function sizeOf({ key, value }: FetchedRecord): number {
  return 200 + (key?.length ?? 0) + (value?.length ?? 0)
}
