import { type BatchIdentity, batchHeaderBytes, encodeBatch, roughBytes } from './batch-encoding.ts'
import { KafkaUnknown } from './failures.ts'
import { ask, type Broker, type Cluster } from './kafkajs-internals.ts'
import { partitionKey } from './leaders.ts'
import { errorName, type PartitionBatch, produceRequest } from './protocol.ts'
import type { OutBatch, OutRecord, Produced } from './writer.ts'

/** Below Kafka's default of 1 MiB for max.message.bytes. A larger single record still gets a batch of its own. */
const maxBatchBytes = 900_000

/** The next sequence number by partition; they count on modulo 2^31. */
export type Sequences = Map<string, number>

export interface ProduceOptions {
  transactionalId: string | null
  identity: BatchIdentity
  sequences: Sequences | null
  timeoutMs: number
}

/** Joins batches of the same partition and leaves out empty ones. */
export function gather(batches: OutBatch[]): OutBatch[] {
  const gathered = new Map<string, OutBatch>()
  for (const batch of batches) {
    if (batch.records.length === 0) continue
    const known = gathered.get(partitionKey(batch))
    if (known === undefined) gathered.set(partitionKey(batch), batch)
    else gathered.set(partitionKey(batch), { ...known, records: [...known.records, ...batch.records] })
  }
  return [...gathered.values()]
}

/**
 * Writes batches to their leaders, in parallel; what is too large for one record batch goes in several requests,
 * one after the other. Nothing is tried twice: a leader that moved away must not make a retry skip records.
 * @throws KafkaUnknown when an answer is an error or does not list every partition
 */
export async function produceToLeaders(
  cluster: Cluster,
  leaders: Map<string, OutBatch[]>,
  options: ProduceOptions,
): Promise<Produced[]> {
  const written = [...leaders].map(async ([nodeId, batches]) =>
    produceRounds(await cluster.findBroker({ nodeId }), batches, options),
  )
  // All leaders are waited for, so that nothing is still being written when the caller hears of a failure.
  const settled = await Promise.allSettled(written)
  for (const result of settled) if (result.status === 'rejected') throw result.reason
  return settled.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
}

async function produceRounds(
  broker: Broker,
  batches: OutBatch[],
  options: ProduceOptions,
): Promise<Produced[]> {
  const produced = new Map<string, Produced>()
  const chunked = batches.map((batch) => ({ ...batch, chunks: chunksOf(batch.records) }))
  for (let round = 0; chunked.some(({ chunks }) => round < chunks.length); round += 1) {
    const now = chunked.filter(({ chunks }) => round < chunks.length)
    const encoded = now.map(({ topic, partition, chunks }) => ({
      topic,
      partition,
      batch: encodeNext(topic, partition, chunks[round]!, options),
    }))
    const offsets = await produceOnce(broker, encoded, options)
    for (const { topic, partition, chunks } of now) {
      const key = partitionKey({ topic, partition })
      const baseOffset = offsets.get(key)!
      const { length } = chunks[round]!
      const before = produced.get(key)
      produced.set(key, {
        topic,
        partition,
        baseOffset: before?.baseOffset ?? baseOffset,
        lastOffset: baseOffset + length - 1,
        count: (before?.count ?? 0) + length,
      })
    }
  }
  return [...produced.values()]
}

function encodeNext(topic: string, partition: number, records: OutRecord[], options: ProduceOptions) {
  const { sequences, identity } = options
  if (sequences === null) return encodeBatch(records, identity, -1, Date.now())
  const key = partitionKey({ topic, partition })
  const sequence = sequences.get(key) ?? 0
  sequences.set(key, (sequence + records.length) % 2 ** 31)
  return encodeBatch(records, identity, sequence, Date.now())
}

async function produceOnce(
  broker: Broker,
  batches: PartitionBatch[],
  options: ProduceOptions,
): Promise<Map<string, number>> {
  const answers = await ask(broker, produceRequest(options.transactionalId, batches, options.timeoutMs))
  const offsets = new Map<string, number>()
  for (const answer of answers) {
    const reason = errorName(answer.errorCode)
    // A named cause lets the caller's classification see Kafka's own reason.
    if (reason !== '') throw Object.assign(new Error(`${partitionKey(answer)}: ${reason}`), { type: reason })
    offsets.set(partitionKey(answer), answer.baseOffset)
  }
  for (const batch of batches) {
    if (offsets.has(partitionKey(batch))) continue
    throw new KafkaUnknown(`${partitionKey(batch)} is not in the answer`, {
      reason: 'NOT_ANSWERED',
      phase: 'produce',
    })
  }
  return offsets
}

/** Records in runs that fit into one record batch each. */
export function chunksOf(records: OutRecord[]): OutRecord[][] {
  const chunks: OutRecord[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const record of records) {
    const bytes = roughBytes(record)
    if (size + bytes > maxBatchBytes) {
      chunks.push([])
      size = batchHeaderBytes
    }
    chunks.at(-1)!.push(record)
    size += bytes
  }
  return chunks
}
