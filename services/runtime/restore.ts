import { tidemarkError } from './errors.ts'
import type { Fetcher, TopicPartition } from './kafka/fetch.ts'
import type { Store } from './store/store.ts'
import { newProgress, type Progress } from './turns.ts'
import { type CheckpointRecord, progressOf, type Wire } from './wire.ts'

/** The key under which a changelog and a store keep the checkpoint. */
export const checkpointKey = '~checkpoint'

/** In the store only: the changelog offset up to which it is filled. */
export const filledKey = '~filled'

export interface Restored {
  readonly progress: Progress
  /** Changelog records read; 0 when the store was up to date. */
  readonly replayed: number
  /** True when the store was not of this changelog and was rebuilt from its start. */
  readonly rebuilt: boolean
}

/**
 * Brings a store up to its changelog: the tail from where the store stands to `end`, in one batch per answer.
 * `end` must be asked for after the fence, or a record of the predecessor could still arrive behind it.
 */
export async function restore(
  store: Store,
  fetcher: Fetcher,
  wire: Wire,
  changelog: TopicPartition,
  now: () => number,
): Promise<Restored> {
  const place = `${changelog.topic}/${changelog.partition}`
  const end = (await fetcher.endOffsets([changelog], 'committed')).get(place) ?? 0
  const start = (await fetcher.startOffsets([changelog])).get(place) ?? 0
  const filled = Number(store.get(filledKey)?.toString() ?? -1)
  const known = filled >= 0
  let replayed: number | 'foreign' = 'foreign'
  if (known && filled >= start && filled <= end) {
    replayed = await replay(
      { store, fetcher, wire, changelog, incarnation: incarnationOf(store) },
      filled,
      end,
    )
  }
  const rebuilt = known && replayed === 'foreign'
  if (replayed === 'foreign') {
    if (known) await store.clear()
    replayed = Number(await replay({ store, fetcher, wire, changelog, incarnation: undefined }, start, end))
  }
  const checkpoint = readCheckpoint(store)
  return { progress: checkpoint ? progressOf(checkpoint) : newProgress(now()), replayed, rebuilt }
}

interface Replay {
  readonly store: Store
  readonly fetcher: Fetcher
  readonly wire: Wire
  readonly changelog: TopicPartition
  /** What the store's checkpoint says; a changelog that says another thing is not the store's. */
  readonly incarnation: number | undefined
}

/** Changelog records read, or `foreign` when the changelog turned out to be another one than the store's. */
async function replay(
  { store, fetcher, wire, changelog, incarnation }: Replay,
  from: number,
  end: number,
): Promise<number | 'foreign'> {
  let offset = from
  let replayed = 0
  while (offset < end) {
    const [answer] = await fetcher.fetch([{ ...changelog, offset }], { maxWaitMs: 100 })
    if (answer === undefined) continue
    if (answer.error) {
      const { topic, partition } = changelog
      throw tidemarkError('TM_STORE', `${topic}/${partition} at ${offset}: ${answer.error}`)
    }
    await wire.prepare(
      'ChangelogEntry',
      answer.records.map(({ value }) => value).filter((value) => value !== null),
    )
    const changes = answer.records.map(({ key, value }) => changeOf(key, value, wire))
    if (incarnation !== undefined && changes.some((change) => isForeign(change, incarnation)))
      return 'foreign'
    replayed += answer.records.length
    offset = answer.nextOffset
    await store.apply([...changes, [filledKey, Buffer.from(String(Math.min(offset, end)))]])
  }
  return replayed
}

function readCheckpoint(store: Store): CheckpointRecord | undefined {
  const bytes = store.get(checkpointKey)
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as CheckpointRecord)
}

function incarnationOf(store: Store): number | undefined {
  return readCheckpoint(store)?.incarnation
}

function isForeign([key, value]: readonly [string, Buffer | undefined], incarnation: number): boolean {
  if (key !== checkpointKey || value === undefined) return false
  return (JSON.parse(value.toString()) as CheckpointRecord).incarnation !== incarnation
}

function changeOf(key: Buffer | null, value: Buffer | null, wire: Wire): [string, Buffer | undefined] {
  if (key === null) throw tidemarkError('TM_INTERNAL_RECORD', 'a changelog record without a key')
  const name = key.toString('utf8')
  if (value === null) return [name, undefined]
  const entry = wire.decode('ChangelogEntry', value)
  if (name === checkpointKey) return [name, Buffer.from(JSON.stringify(entry['checkpoint']))]
  return [name, Buffer.from(entry['value'] as Uint8Array)]
}
