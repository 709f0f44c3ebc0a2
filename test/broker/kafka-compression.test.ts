import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import { type CodecName, codecNumbers, codecOf } from '../../services/runtime/kafka/compression.ts'
import type { Fetcher } from '../../services/runtime/kafka/fetch.ts'
import { connect, newTopic, readAll, records, valuesOf } from './kafka-support.ts'

const { CompressionCodecs, CompressionTypes, Kafka: KafkaJs, logLevel } = kafkajs
const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const texts = Array.from({ length: 500 }, (_, index) => `record ${index} ${'of many '.repeat(index % 40)}`)

let kafka: Kafka
let fetcher: Fetcher

beforeAll(async () => {
  kafka = connect()
  fetcher = await kafka.fetcher()
})
afterAll(() => kafka.close())

it.each(codecs)('reads what is compressed with %s by another producer', async (name) => {
  const topic = await newTopic(kafka)
  const number = codecNumbers[name]
  const codec = codecOf(number)
  // kafkajs has gzip of its own; the broker checks every compressed batch that it takes.
  if (name !== 'gzip') {
    CompressionCodecs[number as typeof CompressionTypes.ZSTD] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => codec.compress(buffer),
      decompress: async (bytes: Buffer) => codec.decompress(bytes, 1 << 26),
    })
  }
  const producer = new KafkaJs({
    brokers: inject('brokers').split(','),
    logLevel: logLevel.NOTHING,
  }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  await producer.send({
    topic,
    compression: number,
    messages: texts.map((value) => ({ value, partition: 0 })),
  })
  await producer.disconnect()
  expect(valuesOf(await readAll(fetcher, topic))).toEqual(texts)
})

it.each(codecs)('writes with %s what the broker takes and anybody reads', async (compression: CodecName) => {
  const topic = await newTopic(kafka)
  const writer = await kafka.writer({ transactionalId: `compressed-${topic}`, compression })
  await writer.commit([{ topic, partition: 0, records: records(...texts) }])
  expect(valuesOf(await readAll(fetcher, topic))).toEqual(texts)
  await writer.close()
})

it('reports a batch that grows beyond the bound, and reads on behind it', async () => {
  const topic = await newTopic(kafka)
  const writer = await kafka.plainWriter({ compression: 'zstd' })
  await writer.write([{ topic, partition: 0, records: records('before') }])
  await writer.write([{ topic, partition: 0, records: [{ key: null, value: Buffer.alloc(20 << 20) }] }])
  await writer.write([{ topic, partition: 0, records: records('behind') }])
  const careful = connect({ maxBatchBytes: 1 << 20 })
  const own = await careful.fetcher()
  const [first] = await own.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 100 })
  expect(valuesOf(first!.records)).toEqual(['before'])
  const [bomb] = await own.fetch([{ topic, partition: 0, offset: 1 }], { maxWaitMs: 100 })
  expect(bomb).toMatchObject({ records: [], nextOffset: 2, error: 'undecodable' })
  expect(valuesOf(await readAll(own, topic, 0, 2))).toEqual(['behind'])
  await Promise.all([careful.close(), writer.close()])
})
