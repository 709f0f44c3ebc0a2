import { tidemarkError } from './errors.ts'
import type { Fetcher } from './kafka/fetch.ts'
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
  changelog: { readonly topic: string; readonly partition: number },
  now: () => number,
): Promise<Restored> {
  const place = `${changelog.topic}/${changelog.partition}`
  const end = (await fetcher.endOffsets([changelog], 'committed')).get(place) ?? 0
  const start = (await fetcher.startOffsets([changelog])).get(place) ?? 0
  const filled = Number(store.get(filledKey)?.toString() ?? -1)
  const belongs = filled >= 0 && filled <= end && filled >= start
  if (filled >= 0 && !belongs) await store.clear()
  const from = belongs ? filled : start
  const replayed = await replay(store, fetcher, wire, changelog, from, end)
  const checkpoint = store.get(checkpointKey)
  const progress = checkpoint
    ? progressOf(JSON.parse(checkpoint.toString()) as CheckpointRecord)
    : newProgress(now())
  return { progress, replayed, rebuilt: filled >= 0 && !belongs }
}

async function replay(
  store: Store,
  fetcher: Fetcher,
  wire: Wire,
  changelog: { readonly topic: string; readonly partition: number },
  from: number,
  end: number,
): Promise<number> {
  let offset = from
  let replayed = 0
  while (offset < end) {
    const [answer] = await fetcher.fetch([{ ...changelog, offset }], { maxWaitMs: 100 })
    if (answer === undefined) continue
    if (answer.error)
      throw tidemarkError(
        'TM_STORE',
        `${changelog.topic}/${changelog.partition} at ${offset}: ${answer.error}`,
      )
    const values = answer.records.map(({ value }) => value).filter((value) => value !== null)
    await wire.prepare('ChangelogEntry', values)
    const changes: [string, Buffer | undefined][] = []
    for (const record of answer.records) changes.push(changeOf(record.key, record.value, wire))
    replayed += answer.records.length
    offset = answer.nextOffset
    await store.apply([...changes, [filledKey, Buffer.from(String(Math.min(offset, end)))]])
  }
  return replayed
}

function changeOf(key: Buffer | null, value: Buffer | null, wire: Wire): [string, Buffer | undefined] {
  if (key === null) throw tidemarkError('TM_INTERNAL_RECORD', 'a changelog record without a key')
  const name = key.toString('utf8')
  if (value === null) return [name, undefined]
  const entry = wire.decode('ChangelogEntry', value)
  if (name === checkpointKey) return [name, Buffer.from(JSON.stringify(entry['checkpoint']))]
  return [name, Buffer.from(entry['value'] as Uint8Array)]
}
