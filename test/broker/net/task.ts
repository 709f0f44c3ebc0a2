import { randomUUID } from 'node:crypto'
import { connectKafka, type Kafka } from '../../../services/runtime/kafka/client.ts'
import { KafkaUnknown, type WriterPhase } from '../../../services/runtime/kafka/failures.ts'
import type { Fetcher } from '../../../services/runtime/kafka/fetch.ts'
import type { OutBatch } from '../../../services/runtime/kafka/writer.ts'
import type { Net } from '../../faults/net/net.ts'
import { readAll, valuesOf } from '../kafka-support.ts'

/** How long an answer may take before these tests take it for lost. */
export const requestTimeoutMs = 1_500

/** A client whose id rules can name, so that they touch nobody else. */
export function clientOf(net: Net): { kafka: Kafka; client: string } {
  const client = `client-${randomUUID()}`
  return {
    client,
    kafka: connectKafka({ brokers: net.brokers.split(','), clientId: client, requestTimeoutMs }),
  }
}

/** What came of a commit that failed: where it failed, and what the log said after the fence. */
export interface Failed {
  readonly transaction: number
  readonly phase: WriterPhase | undefined
  readonly committed: boolean
}

export interface TaskOptions {
  readonly kafka: Kafka
  readonly topic: string
  readonly partitions: number
  readonly transactions: number
  /** Called before each attempt, with the number of the transaction. */
  before?(transaction: number): void
}

/**
 * What every task does, and nothing else: transactions in order, each with records in all partitions. After a commit
 * that failed a new writer fences, and the log tells whether to go on or to do it again.
 */
export async function runTask(options: TaskOptions): Promise<Failed[]> {
  const { kafka, topic, transactions, before } = options
  const open = () => kafka.writer({ transactionalId: `task-${topic}` })
  const fetcher = await kafka.fetcher()
  const failures: Failed[] = []
  let writer = await open()
  for (let transaction = 0; transaction < transactions; ) {
    before?.(transaction)
    try {
      await writer.commit(batchesOf(options, transaction))
      transaction += 1
    } catch (error) {
      if (!(error instanceof KafkaUnknown)) throw error
      await writer.close()
      writer = await open()
      const committed = await isInLog(fetcher, topic, transaction)
      failures.push({ transaction, phase: error.phase, committed })
      if (committed) transaction += 1
    }
  }
  await writer.close()
  await fetcher.close()
  return failures
}

/** The values of a partition after so many transactions, each of them once and whole. */
export function expectedValues(partition: number, transactions: number): string[] {
  return Array.from({ length: transactions }, (_, transaction) => valuesIn(transaction, partition)).flat()
}

function valuesIn(transaction: number, partition: number): string[] {
  return [0, 1, 2].map((index) => `transaction ${transaction}, partition ${partition}, record ${index}`)
}

export function batchesOf(
  { topic, partitions }: Pick<TaskOptions, 'topic' | 'partitions'>,
  transaction: number,
): OutBatch[] {
  return Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    records: valuesIn(transaction, partition).map((value) => ({ key: null, value: Buffer.from(value) })),
  }))
}

/** Partition 0 stands for the changelog. */
async function isInLog(fetcher: Fetcher, topic: string, transaction: number): Promise<boolean> {
  const [first] = valuesIn(transaction, 0)
  return valuesOf(await readAll(fetcher, topic)).includes(first!)
}
