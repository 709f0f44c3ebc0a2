import { setTimeout as sleep } from 'node:timers/promises'
import { encoderOf } from '../../../services/cli/feed.ts'
import type { Registry } from '../../../services/runtime/codec/registry.ts'
import type { Kafka } from '../../../services/runtime/kafka/client.ts'
import { partitionOf } from '../../../services/runtime/kafka/partition.ts'
import type { OutRecord, PlainWriter } from '../../../services/runtime/kafka/writer.ts'
import type { Ledger, LedgerRecord } from '../ledger.ts'
import { createWorkload, type Drawn, orderSchema } from './workload.ts'

export interface Feed {
  /** Holds back, or goes on, for as long as services are far behind. */
  hold(isHeld: boolean): void
  /** Resolves when the last record is in its topic. */
  stop(): Promise<void>
}

export interface FeedOptions {
  readonly kafka: Kafka
  readonly registry: Registry
  readonly ledger: Ledger
  readonly topology: string
  readonly partitions: number
  readonly seed: number
  readonly perSecond: number
  log(line: string): void
}

const tickMs = 50

/**
 * Produces the workload at a steady rate. Each record is in the ledger before it is sent; what could not be sent is
 * sent again until Kafka has acknowledged it, so it may be in its topic more than once.
 */
export async function startFeed(options: FeedOptions): Promise<Feed> {
  const { kafka, ledger, perSecond } = options
  const encode = await recordsOf(options)
  const workload = createWorkload(options.seed)
  let writer = await kafka.plainWriter()
  let isStopped = false
  let isHeld = false

  async function write(records: readonly LedgerRecord[]): Promise<void> {
    const batches = batchesOf(records, options.partitions)
    for (let failures = 0; ; failures += 1) {
      try {
        await writer.write(batches)
        return
      } catch (error) {
        if (failures === 0) options.log(`feed: ${(error as Error).message}`)
        await sleep(200)
        if (failures % 5 === 4) writer = await reopened(kafka, writer)
      }
    }
  }

  async function run(): Promise<void> {
    let owed = 0
    let lastMs = performance.now()
    while (!isStopped) {
      await sleep(tickMs)
      const nowMs = performance.now()
      // What an outage kept from being produced is not caught up with: the rate is for live events.
      owed += (perSecond * Math.min(nowMs - lastMs, 4 * tickMs)) / 1_000
      lastMs = nowMs
      if (isHeld) owed = 0
      const drawn = workload.draw(Math.floor(owed), Date.now())
      owed = Math.max(0, owed - drawn.length)
      if (drawn.length === 0) continue
      const records = drawn.map(encode)
      ledger.write(records)
      await write(records)
    }
  }

  const done = run()
  return {
    hold: (held) => {
      isHeld = held
    },
    async stop() {
      isStopped = true
      await done
      await writer.close()
    },
  }
}

async function recordsOf({ registry, topology }: FeedOptions): Promise<(drawn: Drawn) => LedgerRecord> {
  const topicOf = (stream: Drawn['stream']) => `${topology}.${stream}`
  const formats = {
    [topicOf('orders')]: { avro: orderSchema },
    [topicOf('visits')]: 'json',
    [topicOf('refunds')]: 'json',
  } as const
  const encode = await encoderOf(formats, registry)
  return ({ stream, key, kind, id, time, value }) => {
    const topic = topicOf(stream)
    const bytes = value === null ? null : encode({ topic, key, value })
    return { topic, key, kind, id, time, value: bytes }
  }
}

function batchesOf(records: readonly LedgerRecord[], partitions: number) {
  const batches = new Map<string, { topic: string; partition: number; records: OutRecord[] }>()
  for (const { topic, key, value } of records) {
    const bytes = Buffer.from(key)
    const partition = partitionOf(bytes, partitions)
    const place = `${topic}/${partition}`
    const batch = batches.get(place) ?? { topic, partition, records: [] }
    batch.records.push({ key: bytes, value })
    batches.set(place, batch)
  }
  return [...batches.values()]
}

async function reopened(kafka: Kafka, writer: PlainWriter): Promise<PlainWriter> {
  await writer.close().catch(() => {})
  for (;;) {
    try {
      return await kafka.plainWriter()
    } catch {
      await sleep(500)
    }
  }
}
