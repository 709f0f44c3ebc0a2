import type { FetchAnswer, FetchedRecord, Fetcher, TopicPartition } from './kafka/fetch.ts'
import type { OutBatch, OutRecord, Produced, Writer } from './kafka/writer.ts'

/** A record with its place in the order in which all topics were written. */
export interface LoggedRecord extends FetchedRecord {
  readonly sequence: number
}

/** Topics in memory: what a broker is to the tasks of a run without one. Every record is there once it is appended. */
export interface MemoryLog {
  /** Appends records under the time of the log's clock, unless they bring their own; returns the offset of the first. */
  append(topic: string, partition: number, records: readonly OutRecord[]): number
  /** Takes records as they are, coordinates included: a journal that was read elsewhere. */
  load(records: readonly FetchedRecord[]): void
  /** Up to `limit` records from an offset on. */
  read(place: TopicPartition, offset: number, limit: number): readonly LoggedRecord[]
  /** The offset behind the last record. */
  end(place: TopicPartition): number
  /** Forgets all records, and goes on with the offsets: for long runs whose readers have read everything. */
  clear(): void
  /** Reads what is there; nothing is ever open, so committed and uncommitted ends are the same. */
  readonly fetcher: Fetcher
  /** Writes whole commits; a commit cannot fail here. */
  readonly writer: Writer
}

interface Partition {
  readonly topic: string
  readonly partition: number
  readonly records: LoggedRecord[]
  end: number
}

const noHeaders: Record<string, Buffer> = Object.freeze(Object.create(null))

/** @param appended called after every append, with where it was */
export function createMemoryLog(
  now: () => number,
  appended: (topic: string, partition: number) => void,
): MemoryLog {
  const partitions = new Map<string, Partition>()
  let sequence = 0

  function open({ topic, partition }: TopicPartition): Partition {
    const name = `${topic}/${partition}`
    const found = partitions.get(name) ?? { topic, partition, records: [], end: 0 }
    partitions.set(name, found)
    return found
  }

  function append(topic: string, partition: number, records: readonly OutRecord[]): number {
    const log = open({ topic, partition })
    const base = log.end
    for (const { key, value, headers, timestamp = now() } of records) {
      const kept = headers === undefined ? noHeaders : headersOf(headers)
      const offset = log.end++
      log.records.push({
        topic,
        partition,
        offset,
        timestamp,
        key,
        value,
        headers: kept,
        sequence: sequence++,
      })
    }
    appended(topic, partition)
    return base
  }

  function read(place: TopicPartition, offset: number, limit: number): LoggedRecord[] {
    const log = partitions.get(`${place.topic}/${place.partition}`)
    if (log === undefined || offset >= log.end) return []
    const from = firstAt(log.records, offset)
    return log.records.slice(from, from + limit)
  }

  const end = ({ topic, partition }: TopicPartition) => partitions.get(`${topic}/${partition}`)?.end ?? 0

  return {
    append,
    load(records) {
      for (const record of records) {
        const log = open(record)
        log.records.push({ ...record, sequence: sequence++ })
        log.end = record.offset + 1
        appended(record.topic, record.partition)
      }
    },
    read,
    end,
    clear() {
      for (const { records } of partitions.values()) records.length = 0
    },
    fetcher: fetcherOf(read, end),
    writer: writerOf(append),
  }
}

function fetcherOf(read: MemoryLog['read'], end: MemoryLog['end']): Fetcher {
  const answer = (topic: string, partition: number, offset: number): FetchAnswer => {
    const place = { topic, partition }
    const top = end(place)
    const records = [...read(place, offset, Number.POSITIVE_INFINITY)]
    return { ...place, records, nextOffset: top, highWatermark: top, lastStableOffset: top, logStart: 0 }
  }
  const named = (places: TopicPartition[], offsetOf: (place: TopicPartition) => number) =>
    new Map(places.map((place) => [`${place.topic}/${place.partition}`, offsetOf(place)]))
  return {
    fetch: async (positions) =>
      positions.map(({ topic, partition, offset }) => answer(topic, partition, offset)),
    endOffsets: async (places) => named(places, end),
    startOffsets: async (places) => named(places, () => 0),
    close: async () => {},
  }
}

function writerOf(append: MemoryLog['append']): Writer {
  return {
    broken: false,
    async commit(batches: OutBatch[], seal?: OutBatch) {
      const all = seal === undefined ? batches : [...batches, seal]
      return all.map(({ topic, partition, records }): Produced => {
        const baseOffset = append(topic, partition, records)
        const count = records.length
        return { topic, partition, baseOffset, lastOffset: baseOffset + count - 1, count }
      })
    },
    close: async () => {},
  }
}

/** As a fetch gives them: without a prototype, and bytes all through. */
function headersOf(headers: Readonly<Record<string, Buffer | string>>): Record<string, Buffer> {
  const kept: Record<string, Buffer> = Object.create(null)
  for (const name of Object.keys(headers)) {
    const value = headers[name]!
    kept[name] = typeof value === 'string' ? Buffer.from(value) : value
  }
  return kept
}

/** The place of the first record at or behind an offset; loaded journals may have gaps. */
function firstAt(records: readonly FetchedRecord[], offset: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (records[middle]!.offset < offset) low = middle + 1
    else high = middle
  }
  return low
}
