import type { DeadLetter } from '../../schemas/types.ts'
import { topicOf } from '../../topologies/topics.ts'
import { recordReader } from '../runtime/codec/reader.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import {
  brokenBatchHeader,
  headersLeftOutHeader,
  replayedFromHeader,
  streamsErrors,
} from '../runtime/dead-letter.ts'
import { isTidemarkError, tidemarkError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import { readTopic } from '../runtime/read-topic.ts'

/** A dead letter, and where it stands itself. */
export interface Letter {
  /** `partition/offset` in the topic of dead letters. */
  readonly place: string
  /** When it was written, in ms (epoch). */
  readonly at: number
  readonly record: DeadLetter
  readonly headers: Readonly<Record<string, Buffer>>
}

export interface LetterFilter {
  readonly topic?: string
  readonly reason?: string
  readonly stage?: string
  /** Written at this time or later, in ms (epoch). */
  readonly sinceMs?: number
  /** Letters by their place, or by where their record stood; all when it is left out. */
  readonly targets?: ReadonlySet<string>
}

/** The connection that the commands share. */
export interface LetterSource {
  readonly kafka: Kafka
  readonly registry: Registry
}

/** Places of letters (`partition/offset`) and of their records (`topic:partition:offset`). @throws TM_USAGE */
export function targetsOf(texts: readonly string[]): Set<string> {
  const wrong = texts.find((text) => !/^(\d+\/\d+|[\w.-]+:\d+:\d+)$/.test(text))
  if (wrong === undefined) return new Set(texts)
  throw tidemarkError('TM_USAGE', 'a letter is named as partition/offset, or as topic:partition:offset')
}

/**
 * The letters of a topology in the order in which they were written. What is no dead letter is left out and counted
 * on standard error: somebody else wrote it, and it must not hide the others.
 * @throws TM_TOPICS when there is no such topic
 */
export async function* readLetters(
  { kafka, registry }: LetterSource,
  topology: string,
  filter: LetterFilter = {},
): AsyncGenerator<Letter> {
  const topic = topicOf(topology, 'dead-letters')
  await demandTopic(kafka, topic)
  const reader = recordReader('DeadLetter', registry)
  let foreign = 0
  for await (const { partition, offset, timestamp, value, headers } of readTopic(kafka, topic)) {
    const record = value === null ? undefined : await decoded(reader, value)
    if (record === undefined) {
      foreign += 1
      continue
    }
    const letter = { place: `${partition}/${offset}`, at: timestamp, record, headers }
    if (fits(letter, filter)) yield letter
  }
  if (foreign > 0) process.stderr.write(`${foreign} records of ${topic} are no dead letters\n`)
}

/** Where the record of a letter stood: `topic:partition:offset`. */
export function sourceOf({ topic, partition, offset }: DeadLetter): string {
  return `${topic}:${partition}:${offset}`
}

/** What the letter's record had for headers. */
export function ownHeaders({ headers }: Letter): Record<string, Buffer> {
  const own: Record<string, Buffer> = Object.create(null)
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(streamsErrors) && name !== headersLeftOutHeader) own[name] = headers[name]!
  }
  return own
}

/** The record's former place, when it had come out of another letter. */
export function replayedFrom({ headers }: Letter): string | null {
  return headers[replayedFromHeader]?.toString() ?? null
}

/** Why a letter does not hold all of its record; undefined when it does. */
export function lacks({ record, headers }: Letter): string | undefined {
  if (record.truncated) return 'only the beginning of its record was kept'
  if (headers[headersLeftOutHeader] !== undefined) return 'the headers of its record were not kept'
  if (headers[brokenBatchHeader] !== undefined) return 'it stands for a record batch that nobody can read'
  return undefined
}

async function demandTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = await kafka.admin()
  const known = (await admin.describeTopics([topic])).has(topic)
  await admin.close()
  if (!known) throw tidemarkError('TM_TOPICS', `${topic} does not exist`)
}

async function decoded(
  reader: ReturnType<typeof recordReader<'DeadLetter'>>,
  value: Buffer,
): Promise<DeadLetter | undefined> {
  try {
    await reader.prepare([value])
    return reader.decode(value)
  } catch (error) {
    if (isTidemarkError(error) && error.code === 'TM_INTERNAL_RECORD') return undefined
    throw error
  }
}

/** Whether a letter is one of those that a filter names. */
export function fits({ place, at, record }: Letter, filter: LetterFilter): boolean {
  const { topic, reason, stage, sinceMs, targets } = filter
  if (topic !== undefined && record.topic !== topic) return false
  if (reason !== undefined && record.reason !== reason) return false
  if (stage !== undefined && record.stage !== stage) return false
  if (sinceMs !== undefined && at < sinceMs) return false
  return targets === undefined || targets.has(place) || targets.has(sourceOf(record))
}
