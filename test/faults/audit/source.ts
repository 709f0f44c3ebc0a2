/** A committed record as Kafka holds it. */
export interface StoredRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** The committed records of one partition, in offset order. */
export interface PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly size: number
  /** Offsets by place, ascending. */
  readonly offsets: ArrayLike<number>
  /** The record at a place, 0 to size − 1; its bytes are good until the next call. */
  at(place: number): StoredRecord
}

/** The topics of a run, wherever they are kept: a file that Kafka's consumer wrote, or memory in tests. */
export interface RecordSource {
  /** The partitions of a topic by number; none for a topic that does not exist. */
  partitions(topic: string): readonly PartitionLog[]
}

/** The place of an offset, or -1 when no committed record has it. */
export function placeOf(log: Pick<PartitionLog, 'offsets' | 'size'>, offset: number): number {
  let low = 0
  let high = log.size - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = log.offsets[middle]!
    if (found === offset) return middle
    if (found < offset) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** Records that are in memory; their offsets must ascend within each partition. */
export function memorySource(
  topics: ReadonlyMap<string, readonly (readonly StoredRecord[])[]>,
): RecordSource {
  const logs = new Map(
    [...topics].map(([topic, partitions]) => [
      topic,
      partitions.map((records, partition): PartitionLog => {
        const offsets = records.map(({ offset }) => offset)
        return { topic, partition, size: records.length, offsets, at: (place) => records[place]! }
      }),
    ]),
  )
  return { partitions: (topic) => logs.get(topic) ?? [] }
}
