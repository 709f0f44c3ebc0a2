import type { Kafka } from './kafka/client.ts'
import type { FetchedRecord, Position } from './kafka/fetch.ts'

export interface ReadOptions {
  /** Go on for ever instead of stopping at the present end. */
  readonly follow?: boolean
  /** Start at the present end instead of the log's start. */
  readonly fromEnd?: boolean
  readonly signal?: AbortSignal
}

/** All committed records of a topic, partition by partition in offset order, to the end as it was at the call. */
export async function* readTopic(
  kafka: Kafka,
  topic: string,
  options: ReadOptions = {},
): AsyncGenerator<FetchedRecord> {
  const count = await partitionsOf(kafka, topic)
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
  const fetcher = await kafka.fetcher()
  try {
    // The high watermark, not the last stable offset: what was committed a moment ago may not be marked yet.
    const ends = await fetcher.endOffsets(partitions, 'uncommitted')
    const starts = options.fromEnd ? ends : await fetcher.startOffsets(partitions)
    const at = (offsets: Map<string, number>, partition: number) => offsets.get(`${topic}/${partition}`) ?? 0
    let open: Position[] = partitions.map(({ partition }) => ({
      topic,
      partition,
      offset: at(starts, partition),
    }))
    for (;;) {
      if (!options.follow) open = open.filter(({ partition, offset }) => offset < at(ends, partition))
      if (open.length === 0 || options.signal?.aborted) return
      for (const answer of await fetcher.fetch(open, { maxWaitMs: 100 })) {
        const position = open.find(({ partition }) => partition === answer.partition)
        if (position)
          position.offset = answer.error === 'offset-out-of-range' ? answer.logStart : answer.nextOffset
        for (const record of answer.records) {
          if (options.follow || record.offset < at(ends, answer.partition)) yield record
        }
      }
    }
  } finally {
    await fetcher.close()
  }
}

async function partitionsOf(kafka: Kafka, topic: string): Promise<number> {
  const admin = await kafka.admin()
  try {
    const described = await admin.describeTopics([topic])
    return described.get(topic)?.partitions ?? 0
  } finally {
    await admin.close()
  }
}
