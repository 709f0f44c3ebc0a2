import type { Kafka } from '../runtime/kafka/client.ts'
import { readTopic } from '../runtime/read-topic.ts'
import type { Wire } from '../runtime/wire.ts'

export interface ReadRecord<T> {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: T
}

/** All committed records of a topic of ours, decoded; tombstones are left out. Marks of journals are among them. */
export async function readAll<T>(
  kafka: Kafka,
  wire: Wire,
  topic: string,
  schema: string,
): Promise<ReadRecord<T>[]> {
  const raw: ReadRecord<Uint8Array>[] = []
  for await (const { partition, offset, key, value } of readTopic(kafka, topic)) {
    if (value !== null) raw.push({ partition, offset, key: key?.toString() ?? null, value })
  }
  await wire.prepare(
    schema,
    raw.map(({ value }) => value),
  )
  return raw.map((record) => ({ ...record, value: wire.decode(schema, record.value) as T }))
}

/** How many committed records a topic holds. */
export async function countRecords(kafka: Kafka, topic: string): Promise<number> {
  let records = 0
  for await (const _ of readTopic(kafka, topic)) records += 1
  return records
}

/** Marks carry time through a journal, and nothing else. */
export function isPayload({ kind }: { readonly kind: string }): boolean {
  return kind !== 'mark' && kind !== 'idle'
}
