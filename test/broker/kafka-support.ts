import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { connectKafka, type Kafka } from '../../services/runtime/kafka/client.ts'
import type { FetchedRecord, Fetcher } from '../../services/runtime/kafka/fetch.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'

export function connect(settings: { requestTimeoutMs?: number; maxBatchBytes?: number } = {}): Kafka {
  return connectKafka({ brokers: inject('brokers').split(','), clientId: 'kafka-test', ...settings })
}

/** A topic of its own for each test. */
export async function newTopic(
  kafka: Kafka,
  partitions = 1,
  configs: Record<string, string> = {},
): Promise<string> {
  const admin = await kafka.admin()
  const topic = `kafka-test-${randomUUID()}`
  await admin.createTopics([{ topic, partitions, configs }])
  await admin.close()
  return topic
}

export function records(...values: string[]): OutRecord[] {
  return values.map((value) => ({ key: Buffer.from(value), value: Buffer.from(value) }))
}

export function valuesOf(read: FetchedRecord[]): string[] {
  return read.map(({ value }) => String(value))
}

/** Reads a partition from an offset to its end, once no transaction is open: commit markers come a moment late. */
export async function readAll(
  fetcher: Fetcher,
  topic: string,
  partition = 0,
  from = 0,
): Promise<FetchedRecord[]> {
  const end = await settledEnd(fetcher, topic, partition)
  const read: FetchedRecord[] = []
  for (let offset = from; offset < end; ) {
    const [answer] = await fetcher.fetch([{ topic, partition, offset }], { maxWaitMs: 100 })
    if (answer === undefined) continue
    if (answer.error !== undefined) throw new Error(`${answer.error}: ${answer.detail}`)
    read.push(...answer.records)
    offset = answer.nextOffset
  }
  return read
}

async function settledEnd(fetcher: Fetcher, topic: string, partition: number): Promise<number> {
  const key = `${topic}/${partition}`
  for (;;) {
    const stable = (await fetcher.endOffsets([{ topic, partition }], 'committed')).get(key)!
    if (stable === (await fetcher.endOffsets([{ topic, partition }], 'uncommitted')).get(key)) return stable
  }
}

/** Resolves when the condition holds; rejects after 30 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
