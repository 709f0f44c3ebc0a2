import type { TopologyRecord } from '../../schemas/types.ts'
import { topicOf } from '../../topologies/topics.ts'
import { recordReader } from '../runtime/codec/reader.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import { readTopic } from '../runtime/read-topic.ts'

/** What was last applied under this name; undefined when nothing was. */
export async function readApplied(
  kafka: Kafka,
  registry: Registry,
  topology: string,
): Promise<TopologyRecord | undefined> {
  const reader = recordReader('TopologyRecord', registry)
  let last: TopologyRecord | undefined
  for await (const { value } of readTopic(kafka, topicOf(topology, 'topology'))) {
    if (value === null) continue
    await reader.prepare([value])
    last = reader.decode(value)
  }
  return last
}
