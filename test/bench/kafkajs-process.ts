/**
 * What the task path is compared with (`node kafkajs-process.ts <options as JSON>`): plain kafkajs, consuming with
 * eachBatch and producing the same records in transactions that carry the offsets. No state, no changelog, no store.
 */
import kafkajsModule from 'kafkajs'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import { headerBytes, schemaIdOf } from '../../services/runtime/codec/wire-format.ts'
import { createMeter, type Meters } from './meter.ts'

export interface RawOptions {
  readonly brokers: string
  readonly input: string
  readonly output: string
  readonly group: string
  readonly records: number
  /** Records per transaction, at most as many as a fetch brought. */
  readonly perTransaction: number
  /** Also decode and encode each value as Avro: for information, the comparison is without. */
  readonly avro: boolean
}

export type RawNews =
  | { readonly kind: 'done'; readonly meters: Meters; readonly commitMs: readonly number[] }
  | { readonly kind: 'failed'; readonly message: string }

process.once('disconnect', () => process.exit(1))
await run(JSON.parse(process.argv[2]!) as RawOptions).catch((error: unknown) => {
  tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  process.exitCode = 1
})

async function run(options: RawOptions): Promise<void> {
  const { brokers, input, output, group, records, perTransaction } = options
  const kafka = new kafkajsModule.Kafka({
    brokers: brokers.split(','),
    clientId: 'raw',
    logLevel: kafkajsModule.logLevel.NOTHING,
    // The default waits 300 ms whenever the transaction before is still being marked.
    retry: { initialRetryTime: 5 },
  })
  const producer = kafka.producer({ transactionalId: group, maxInFlightRequests: 1, idempotent: true })
  const consumer = kafka.consumer({ groupId: group, allowAutoTopicCreation: false })
  await Promise.all([producer.connect(), consumer.connect()])
  await consumer.subscribe({ topic: input, fromBeginning: true })
  const finished = Promise.withResolvers<void>()
  const meter = createMeter(records)
  const valueIn = options.avro ? recoded : (value: Buffer | null) => value
  const commitMs: number[] = []
  let done = 0
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    async eachBatch({ batch }) {
      const { messages, topic, partition } = batch
      meter.come(messages.length)
      for (let from = 0; from < messages.length; from += perTransaction) {
        const part = messages.slice(from, from + perTransaction)
        const startedMs = performance.now()
        const transaction = await producer.transaction()
        await transaction.send({
          topic: output,
          messages: part.map(({ key, value }) => ({ key, value: valueIn(value), partition: 0 })),
        })
        const offset = String(Number(part.at(-1)!.offset) + 1)
        const topics = [{ topic, partitions: [{ partition, offset }] }]
        await transaction.sendOffsets({ consumerGroupId: group, topics })
        await transaction.commit()
        commitMs.push(performance.now() - startedMs)
      }
      done += messages.length
      if (done >= records) finished.resolve()
    },
  })
  await finished.promise
  tell({ kind: 'done', meters: meter.end(), commitMs })
  await consumer.disconnect()
  await producer.disconnect()
  process.disconnect?.()
}

function recoded(value: Buffer | null): Buffer | null {
  if (value === null) return null
  const codec = recordCodec('JournalEntry')
  return codec.encode(codec.decode(value, headerBytes), schemaIdOf(value)!)
}

function tell(news: RawNews): void {
  process.send?.(news)
}
