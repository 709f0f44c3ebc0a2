import type { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka as KafkaJs } from 'kafkajs'
import { decodeBatches } from './batch-decoding.ts'
import { reasonOf } from './classify.ts'
import { KafkaUnavailable } from './failures.ts'
import { ask, cutCluster } from './kafkajs-internals.ts'
import { byLeader, listOffsets, openPatiently, partitionKey } from './leaders.ts'
import { errorName, fetchRequest, type PartitionAnswer } from './protocol.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

export interface Position extends TopicPartition {
  /** The next offset to read. */
  offset: number
}

export interface FetchedRecord {
  topic: string
  partition: number
  offset: number
  /** Milliseconds. */
  timestamp: number
  /** Key and value are views into the answer: copy what is kept for long. */
  key: Buffer | null
  value: Buffer | null
  /** Without a prototype; of a repeated header the last one, of a null header an empty buffer. */
  headers: Record<string, Buffer>
}

export interface FetchAnswer {
  topic: string
  partition: number
  /** Committed data records only, in offset order. */
  records: FetchedRecord[]
  /** The next position: past control batches, aborted and compacted records. */
  nextOffset: number
  highWatermark: number
  lastStableOffset: number
  logStart: number
  /**
   * 'offset-out-of-range': the position is not in the log (below logStart, or above the end).
   * 'undecodable': the record batch at the position is broken (checksum, codec, format, or larger than the
   * bound when decompressed); `detail` says why and `nextOffset` is the position after it.
   */
  error?: 'offset-out-of-range' | 'undecodable'
  detail?: string
}

export interface FetchOptions {
  /** How long the broker may wait for minBytes; the call returns earlier when any leader has something. */
  maxWaitMs: number
  /** Default 1. */
  minBytes?: number
  /** Default 10 MiB for each leader. */
  maxBytes?: number
  /** Default 1 MiB. */
  maxBytesPerPartition?: number
}

export interface Fetcher {
  /**
   * One request per leader, concurrently. Partitions whose leader did not answer (moved, away, still polling)
   * are not in the result: ask again with the same position. Calls wait for each other.
   * @throws KafkaUnavailable when no leader answered; a pause of 100 ms to 1 s has then already been made.
   */
  fetch(positions: Position[], options: FetchOptions): Promise<FetchAnswer[]>
  /** 'committed': the last stable offset; 'uncommitted': the high watermark. Keys are "topic/partition". */
  endOffsets(
    partitions: TopicPartition[],
    isolation: 'committed' | 'uncommitted',
  ): Promise<Map<string, number>>
  /** Where the log begins. Keys are "topic/partition". */
  startOffsets(partitions: TopicPartition[]): Promise<Map<string, number>>
  /** Cuts the connections: a fetch that is under way throws KafkaUnavailable. */
  close(): Promise<void>
}

const outOfRange = 'OFFSET_OUT_OF_RANGE'

/** A request that is under way or answered and not yet taken. */
interface Poll {
  /** The offset asked for, by "topic/partition". */
  asked: Map<string, number>
  /** Resolves, never rejects, when `outcome` is there. */
  done: Promise<void>
  outcome?: PartitionAnswer[] | { failed: unknown }
}

/**
 * Opens a fetcher. Each leader has at most one request under way, and a call returns as soon as one leader brings
 * something: a leader with nothing to give does not hold back the others, its request goes on into the next call.
 */
export async function openFetcher(kafkajs: KafkaJs, maxBatchBytes: number): Promise<Fetcher> {
  const cluster = await openPatiently(kafkajs)
  const polls = new Map<string, Poll>()
  let turn = 0
  let stale = false
  let closed = false
  let pauseMs = firstPauseMs

  async function send(
    nodeId: string,
    positions: Position[],
    options: FetchOptions,
  ): Promise<PartitionAnswer[]> {
    // The broker fills partitions in order until the answer is full: each gets to be the first.
    const first = turn % positions.length
    const turned = [...positions.slice(first), ...positions.slice(0, first)]
    return ask(await cluster.findBroker({ nodeId }), fetchRequest(turned, options))
  }

  function poll(nodeId: string, positions: Position[], options: FetchOptions): Poll {
    const known = polls.get(nodeId)
    if (known !== undefined) return known
    const made: Poll = {
      asked: new Map(positions.map((position) => [partitionKey(position), position.offset])),
      done: send(nodeId, positions, options).then(
        (answers) => {
          made.outcome = answers
        },
        (failed: unknown) => {
          made.outcome = { failed }
        },
      ),
    }
    polls.set(nodeId, made)
    return made
  }

  async function round(positions: Position[], options: FetchOptions): Promise<FetchAnswer[]> {
    turn += 1
    if (stale) await cluster.refreshMetadata()
    stale = false
    const wanted = new Map(positions.map((position) => [partitionKey(position), position]))
    const leaders = await byLeader(cluster, positions)
    const current = new Map([...leaders].map(([nodeId, asked]) => [nodeId, poll(nodeId, asked, options)]))
    const answers: FetchAnswer[] = []
    let failures: unknown[] = []
    for (const left = new Map(current); left.size > 0; ) {
      await Promise.race([...left.values()].map(({ done }) => done))
      for (const [nodeId, { asked, outcome }] of left) {
        if (outcome === undefined) continue
        left.delete(nodeId)
        polls.delete(nodeId)
        if (Array.isArray(outcome)) answers.push(...take(outcome, asked, wanted))
        else failures = [...failures, outcome.failed]
      }
      if (answers.some(isNews)) break
    }
    stale ||= failures.length > 0
    if (failures.length === current.size) throw failures[0]
    return Promise.all(answers.map(withRange))
  }

  /** Decodes the answers to what is still wanted; a partition that was moved meanwhile is asked again. */
  function take(
    answers: PartitionAnswer[],
    asked: Map<string, number>,
    wanted: Map<string, Position>,
  ): FetchAnswer[] {
    return answers.flatMap((answer): FetchAnswer[] => {
      const position = wanted.get(partitionKey(answer))
      if (position === undefined || asked.get(partitionKey(answer)) !== position.offset) return []
      const reason = errorName(answer.errorCode)
      if (reason === '') return [decodeAnswer(answer, position, maxBatchBytes)]
      if (reason === outOfRange) return [outOfRangeAt(position)]
      stale = true
      return []
    })
  }

  /** The broker does not say where the log begins and ends when a position is outside of it. */
  async function withRange(answer: FetchAnswer): Promise<FetchAnswer> {
    if (answer.error !== 'offset-out-of-range') return answer
    const key = partitionKey(answer)
    const start = await listOffsets(cluster, [answer], 'start', 'uncommitted')
    const high = await listOffsets(cluster, [answer], 'end', 'uncommitted')
    const stable = await listOffsets(cluster, [answer], 'end', 'committed')
    const [logStart, highWatermark] = [start.get(key) ?? -1, high.get(key) ?? -1]
    return { ...answer, logStart, highWatermark, lastStableOffset: stable.get(key) ?? -1 }
  }

  async function attempt(positions: Position[], options: FetchOptions): Promise<FetchAnswer[]> {
    try {
      const answers = await round(positions, options)
      pauseMs = firstPauseMs
      return answers
    } catch (error) {
      stale = true
      if (!closed) await sleep(pauseMs)
      pauseMs = Math.min(pauseMs * 2, 1000)
      throw new KafkaUnavailable('no leader answered a fetch', {
        reason: closed ? 'CLOSED' : reasonOf(error),
        cause: error,
      })
    }
  }

  let last: Promise<unknown> = Promise.resolve()
  return {
    fetch(positions, options) {
      if (positions.length === 0) return Promise.resolve([])
      const next = last.then(() => attempt(positions, options))
      last = next.catch(() => undefined)
      return next
    },
    endOffsets: (partitions, isolation) => listOffsets(cluster, partitions, 'end', isolation),
    startOffsets: (partitions) => listOffsets(cluster, partitions, 'start', 'uncommitted'),
    close: () => {
      closed = true
      return cutCluster(cluster)
    },
  }
}

const firstPauseMs = 100

function isNews(answer: FetchAnswer): boolean {
  return answer.records.length > 0 || answer.error !== undefined
}

function decodeAnswer(answer: PartitionAnswer, position: Position, maxBatchBytes: number): FetchAnswer {
  const { topic, partition, highWatermark, lastStableOffset, logStart } = answer
  const decoded = decodeBatches(answer.batches, position, answer.aborted, maxBatchBytes)
  const { records, nextOffset } = decoded
  const read: FetchAnswer = {
    topic,
    partition,
    records,
    nextOffset,
    highWatermark,
    lastStableOffset,
    logStart,
  }
  if (decoded.undecodable === undefined) return read
  return { ...read, error: 'undecodable', detail: decoded.undecodable }
}

function outOfRangeAt({ topic, partition, offset }: Position): FetchAnswer {
  const unknown = { highWatermark: -1, lastStableOffset: -1, logStart: -1 }
  return { topic, partition, records: [], nextOffset: offset, ...unknown, error: 'offset-out-of-range' }
}
