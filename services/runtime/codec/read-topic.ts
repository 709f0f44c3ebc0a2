import type { RecordName, Records } from '../../../schemas/catalogue.ts'
import type { Kafka } from '../kafka/client.ts'
import type { FetchedRecord } from '../kafka/fetch.ts'
import type { ReadOptions } from '../read-topic.ts'
import { readTopic } from '../read-topic.ts'
import { recordReader } from './reader.ts'
import type { SchemaSource } from './schema-cache.ts'

export interface ReadRecord<T> extends Omit<FetchedRecord, 'value'> {
  /** Null for a tombstone. */
  readonly value: T | null
}

/**
 * The committed records of one of Tidemark's topics, decoded; order and end as `readTopic`.
 * @throws TM_INTERNAL_RECORD · TM_REGISTRY_AWAY (retriable)
 */
export async function* readRecords<N extends RecordName>(
  kafka: Kafka,
  source: SchemaSource,
  topic: string,
  name: N,
  options: ReadOptions = {},
): AsyncGenerator<ReadRecord<Records[N]>> {
  const reader = recordReader(name, source)
  for await (const record of readTopic(kafka, topic, options)) {
    const { value } = record
    if (value === null) yield { ...record, value }
    else {
      await reader.prepare([value])
      yield { ...record, value: reader.decode(value) }
    }
  }
}
