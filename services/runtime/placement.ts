import type { FetchedRecord } from './kafka/fetch.ts'
import { partitionOf } from './kafka/partition.ts'

/** Notices source topics that another partitioner than Kafka's own has filled. */
export interface Placement {
  /** Compares where keyed records stand with where the murmur2 hash of their keys would have put them. */
  look(records: readonly FetchedRecord[], partitions: number): void
  /** Records found elsewhere since the process started, by topic. */
  readonly misplaced: ReadonlyMap<string, number>
}

export interface Misplaced {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Records of this topic that were found elsewhere so far. */
  readonly misplaced: number
}

/** Said again after so long, while records still come to other partitions. */
const pauseMs = 3_600_000

/** `warn` is called at the first such record of a topic, and then at most once an hour. Keys are never handed to it. */
export function watchPlacement(warn: (found: Misplaced) => void, now = () => performance.now()): Placement {
  const misplaced = new Map<string, number>()
  const silentUntil = new Map<string, number>()
  return {
    misplaced,
    look(records, partitions) {
      // With one partition every hash agrees.
      if (partitions < 2) return
      for (const { topic, partition, offset, key } of records) {
        if (key === null || partitionOf(key, partitions) === partition) continue
        const count = (misplaced.get(topic) ?? 0) + 1
        misplaced.set(topic, count)
        if (now() < (silentUntil.get(topic) ?? Number.NEGATIVE_INFINITY)) continue
        silentUntil.set(topic, now() + pauseMs)
        warn({ topic, partition, offset, misplaced: count })
      }
    },
  }
}
