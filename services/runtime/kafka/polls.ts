import { decodeBatches } from './batch-decoding.ts'
import type { FetchAnswer, FetchOptions, Position } from './fetch.ts'
import { ask, type Cluster } from './kafkajs-internals.ts'
import { byLeader, listOffsets, partitionKey } from './leaders.ts'
import { errorName, fetchRequest, type PartitionAnswer } from './protocol.ts'

/** A request to one leader that is under way, or answered and not yet taken. */
interface Poll {
  /** The offset asked for, by "topic/partition". */
  asked: Map<string, number>
  /** Resolves, never rejects, when `outcome` is there. */
  done: Promise<void>
  outcome?: PartitionAnswer[] | { failed: unknown }
}

/** What a fetcher keeps from call to call. */
export interface Polls {
  readonly cluster: Cluster
  readonly maxBatchBytes: number
  /** At most one request per leader, by node id. */
  readonly open: Map<string, Poll>
  /** Counts calls: each partition gets to be the first in a request. */
  turn: number
  /** Whether the metadata are to be refreshed before the next request. */
  stale: boolean
  /** What a leader last said instead of records. */
  refusal: Error | undefined
}

export function newPolls(cluster: Cluster, maxBatchBytes: number): Polls {
  return { cluster, maxBatchBytes, open: new Map(), turn: 0, stale: false, refusal: undefined }
}

/**
 * Asks all leaders and returns with the first that answer. A leader that is still waiting for records, or does not
 * answer at all, does not hold back the others: its request goes on into the next call.
 * @throws what the first leader failed with, when all failed
 */
export async function fetchOnce(
  polls: Polls,
  positions: Position[],
  options: FetchOptions,
): Promise<FetchAnswer[]> {
  const { cluster } = polls
  polls.turn += 1
  if (polls.stale) await cluster.refreshMetadata()
  polls.stale = false
  const wanted = new Map(positions.map((position) => [partitionKey(position), position]))
  const leaders = await byLeader(cluster, positions)
  const waiting = new Map([...leaders].map(([nodeId, of]) => [nodeId, pollOf(polls, nodeId, of, options)]))
  const failures: unknown[] = []
  const answers: FetchAnswer[] = []
  for (let answered = false; !answered && waiting.size > 0; ) {
    await Promise.race([...waiting.values()].map(({ done }) => done))
    for (const [nodeId, { asked, outcome }] of waiting) {
      if (outcome === undefined) continue
      waiting.delete(nodeId)
      polls.open.delete(nodeId)
      if (!Array.isArray(outcome)) failures.push(outcome.failed)
      else answers.push(...takeAnswers(polls, outcome, asked, wanted))
      answered ||= Array.isArray(outcome)
    }
  }
  polls.stale ||= failures.length > 0
  if (failures.length === leaders.size) throw failures[0]
  const { refusal } = polls
  polls.refusal = undefined
  // Asked again at once, it would be refused again at once: the caller pauses, and can say why.
  if (refusal !== undefined && answers.length === 0) throw refusal
  return Promise.all(answers.map((answer) => withRange(cluster, answer)))
}

/** The request under way to a leader, or a new one. */
function pollOf(polls: Polls, nodeId: string, positions: Position[], options: FetchOptions): Poll {
  const known = polls.open.get(nodeId)
  if (known !== undefined) return known
  // The broker fills partitions in the order of the request until the answer is full.
  const first = polls.turn % positions.length
  const turned = [...positions.slice(first), ...positions.slice(0, first)]
  const send = async () => ask(await polls.cluster.findBroker({ nodeId }), fetchRequest(turned, options))
  const poll: Poll = {
    asked: new Map(positions.map((position) => [partitionKey(position), position.offset])),
    done: send().then(
      (answers) => {
        poll.outcome = answers
      },
      (failed: unknown) => {
        poll.outcome = { failed }
      },
    ),
  }
  polls.open.set(nodeId, poll)
  return poll
}

/** Decodes the answers to what is still wanted; a partition whose position was moved meanwhile is asked again. */
function takeAnswers(
  polls: Polls,
  answers: PartitionAnswer[],
  asked: Map<string, number>,
  wanted: Map<string, Position>,
): FetchAnswer[] {
  return answers.flatMap((answer): FetchAnswer[] => {
    const position = wanted.get(partitionKey(answer))
    if (position === undefined || asked.get(partitionKey(answer)) !== position.offset) return []
    const reason = errorName(answer.errorCode)
    if (reason === '') return [decodeAnswer(answer, position, polls.maxBatchBytes)]
    if (reason === 'OFFSET_OUT_OF_RANGE') return [outOfRangeAt(position)]
    polls.stale = true
    polls.refusal = Object.assign(new Error(`${partitionKey(answer)}: ${reason}`), { type: reason })
    return []
  })
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

/** The broker does not say where the log begins and ends when a position is outside of it. */
async function withRange(cluster: Cluster, answer: FetchAnswer): Promise<FetchAnswer> {
  if (answer.error !== 'offset-out-of-range') return answer
  const key = partitionKey(answer)
  const start = await listOffsets(cluster, [answer], 'start', 'uncommitted')
  const high = await listOffsets(cluster, [answer], 'end', 'uncommitted')
  const stable = await listOffsets(cluster, [answer], 'end', 'committed')
  const [logStart, highWatermark] = [start.get(key) ?? -1, high.get(key) ?? -1]
  return { ...answer, logStart, highWatermark, lastStableOffset: stable.get(key) ?? -1 }
}
