import type { Topology } from '../../topologies/compiled.ts'
import { topicOf } from '../../topologies/topics.ts'
import { replayedFromHeader } from '../runtime/dead-letter.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { OutBatch } from '../runtime/kafka/writer.ts'
import { readApplied } from './applied.ts'
import {
  fits,
  type Letter,
  type LetterFilter,
  type LetterSource,
  lacks,
  ownHeaders,
  readLetters,
  replayedFrom,
  sourceOf,
} from './dead-letters-topic.ts'

/** What becomes of a letter that was asked for. */
export type Fate =
  | { readonly kind: 'replay' }
  /** Nothing to do: why. */
  | { readonly kind: 'skip'; readonly why: string }
  /** It cannot be done: why. */
  | { readonly kind: 'refuse'; readonly why: string }

export interface Decision {
  readonly place: string
  /** Where its record stood; that partition is where it goes back to. */
  readonly source: string
  readonly bytes: number
  readonly fate: Fate
}

/** Written in one transaction: as much as a commit may hold without becoming a burden. */
const chunkRecords = 500
const chunkBytes = 4_000_000

/**
 * Decides about the letters of a topology that fit a filter, in the order in which they were written. A record that
 * two stages refused goes back once; one that came back and was refused again is left to its newer letter.
 * @throws TM_NOT_APPLIED when nobody can say which topics are the topology's
 */
export async function decideReplay(
  source: LetterSource,
  topology: string,
  filter: LetterFilter,
): Promise<Decision[]> {
  const partitions = await sourcePartitions(source, topology)
  const refusedAgain = new Map<string, string>()
  const wanted: (Omit<Decision, 'fate'> & { readonly flaw: string | undefined })[] = []
  for await (const letter of readLetters(source, topology)) {
    const from = replayedFrom(letter)
    if (from !== null) refusedAgain.set(from, letter.place)
    if (!fits(letter, filter)) continue
    const { record, place } = letter
    const known = record.partition < (partitions.get(record.topic) ?? 0)
    const flaw = known ? lacks(letter) : `${record.topic}/${record.partition} is no source of this topology`
    const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    wanted.push({ place, source: sourceOf(record), bytes, flaw })
  }
  const taken = new Map<string, string>()
  return wanted.map(({ place, source, bytes, flaw }) => {
    const decision = (fate: Fate): Decision => ({ place, source, bytes, fate })
    const newer = refusedAgain.get(source)
    const other = taken.get(source)
    if (newer !== undefined)
      return decision({ kind: 'skip', why: `it was replayed before, and became letter ${newer}` })
    if (other !== undefined) return decision({ kind: 'skip', why: `letter ${other} holds the same record` })
    if (flaw !== undefined) return decision({ kind: 'refuse', why: flaw })
    taken.set(source, place)
    return decision({ kind: 'replay' })
  })
}

/**
 * Writes the records of the decided letters back to where they stood, bytes, key and headers as they were, in
 * transactions of up to 500 records. @returns how many were written
 */
export async function writeReplay(
  source: LetterSource,
  topology: string,
  decisions: readonly Decision[],
): Promise<number> {
  const places = new Set(decisions.filter(({ fate }) => fate.kind === 'replay').map(({ place }) => place))
  if (places.size === 0) return 0
  // A second replay of the same topology fences this one, so that the two never mix.
  const transactionalId = `${topicOf(topology, 'dead-letters')}.replay`
  const writer = await source.kafka.writer({ transactionalId })
  let chunk: OutBatch[] = []
  let bytes = 0
  let written = 0
  const flush = async () => {
    await writer.commit(chunk)
    written += chunk.length
    chunk = []
    bytes = 0
  }
  try {
    for await (const letter of readLetters(source, topology, { targets: places })) {
      chunk.push(batchOf(letter))
      bytes += (letter.record.key?.length ?? 0) + (letter.record.value?.length ?? 0)
      if (chunk.length >= chunkRecords || bytes >= chunkBytes) await flush()
    }
    if (chunk.length > 0) await flush()
    return written
  } finally {
    await writer.close()
  }
}

function batchOf(letter: Letter): OutBatch {
  const { topic, partition, key, value } = letter.record
  const headers = ownHeaders(letter)
  headers[replayedFromHeader] = Buffer.from(sourceOf(letter.record))
  return { topic, partition, records: [{ key: bufferOf(key), value: bufferOf(value), headers }] }
}

/** Only the topology's own sources: a letter could name any topic, and what it names is written to. */
async function sourcePartitions(
  { kafka, registry }: LetterSource,
  topology: string,
): Promise<Map<string, number>> {
  const applied = await readApplied(kafka, registry, topology)
  if (applied === undefined) throw tidemarkError('TM_NOT_APPLIED', topology)
  const { streams } = JSON.parse(applied.json) as Topology
  const topics = Object.values(streams).map(({ topic }) => topic)
  const admin = await kafka.admin()
  const described = await admin.describeTopics(topics)
  await admin.close()
  return new Map([...described].map(([topic, { partitions }]) => [topic, partitions]))
}

function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
