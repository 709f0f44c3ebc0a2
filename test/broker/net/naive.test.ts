import { randomUUID } from 'node:crypto'
import type { Kafka as KafkaJs } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Admin, openAdmin } from '../../../services/runtime/kafka/admin.ts'
import { makeKafkaJs } from '../../../services/runtime/kafka/client.ts'
import { type Fetcher, openFetcher } from '../../../services/runtime/kafka/fetch.ts'
import { type Net, openNet } from '../../faults/net/net.ts'
import { openTransaction } from '../kafka-open-transaction.ts'
import { readAll, valuesOf } from '../kafka-support.ts'
import { messages, naiveClient, naiveProducer, naiveRead } from './naive.ts'

/**
 * Why the door exists: kafkajs's own producer and consumer under the faults that a task survives in
 * kafka-proxy.test.ts. What is not said to be refused here resolved, and so claimed success. `connectKafka` is not
 * called, because it mends kafkajs for the whole process.
 */
let net: Net
let admin: Admin
let fetcher: Fetcher

beforeAll(async () => {
  net = await openNet({ nodes: 1 })
  const direct = makeKafkaJs({ brokers: net.directBrokers.split(','), clientId: 'direct' })
  admin = await openAdmin(direct)
  fetcher = await openFetcher(direct, 1 << 20)
})
afterAll(async () => {
  await Promise.all([admin?.close(), fetcher?.close()])
  await net?.close()
})

const visible = async (topic: string) => valuesOf(await readAll(fetcher, topic))

async function open(): Promise<{ kafka: KafkaJs; client: string; topic: string }> {
  const client = `naive-${randomUUID()}`
  await admin.createTopics([{ topic: client, partitions: 1, configs: {} }])
  return { client, kafka: naiveClient(net.brokers, client, 1_000), topic: client }
}

describe("kafkajs's producer", () => {
  it('loses a transaction after an aborted one whose Produce answer was lost (K2)', async () => {
    const { kafka, client, topic } = await open()
    const producer = await naiveProducer(kafka, { retries: 2 })
    const first = await producer.transaction()
    const lost = net.rule({ api: 'Produce', side: 'answer', action: 'drop', client })
    await expect(first.send({ topic, messages: messages(0, 'aborted') })).rejects.toThrow()
    lost.remove()
    await first.abort()
    // Until the markers are written there is no next transaction.
    expect(await visible(topic)).toEqual([])
    const second = await producer.transaction()
    await second.send({ topic, messages: messages(0, 'committed') })
    await second.commit()
    expect(await visible(topic)).toEqual([])
    await producer.disconnect()
  })

  it('loses one of two concurrent sends when an answer is lost by a reset, and doubles the other (K3)', async () => {
    const { kafka, client, topic } = await open()
    const producer = await naiveProducer(kafka, { retries: 5 }, 1)
    const transaction = await producer.transaction()
    const reset = net.rule({ api: 'Produce', side: 'answer', action: 'reset', client, times: 1 })
    await Promise.all(
      ['one', 'two'].map((value) => transaction.send({ topic, messages: messages(0, value) })),
    )
    await transaction.commit()
    const values = await visible(topic)
    expect(reset.hits).toBe(1)
    expect([values.length, new Set(values).size]).toEqual([2, 1])
    reset.remove()
    await producer.disconnect()
  })

  it('commits a record of an aborted transaction whose send was still being retried (K4)', async () => {
    const { kafka, client, topic } = await open()
    const producer = await naiveProducer(kafka, { retries: 5, initialRetryTime: 1_000 }, 1)
    const first = await producer.transaction()
    const lost = net.rule({ api: 'Produce', side: 'request', action: 'drop', client, times: 1 })
    const timedOut = new Promise((resolve) => producer.on(producer.events.REQUEST_TIMEOUT, resolve))
    const sending = first.send({ topic, messages: messages(0, 'aborted') })
    await timedOut
    await first.abort()
    const second = await producer.transaction()
    await sending
    await second.send({ topic, messages: messages(0, 'committed') })
    await second.commit()
    expect(await visible(topic)).toEqual(['aborted', 'committed'])
    lost.remove()
    await producer.disconnect()
  })

  it('is of no use after a lost EndTxn answer, and says that what is committed is not (K7)', async () => {
    const { kafka, client, topic } = await open()
    const producer = await naiveProducer(kafka, { retries: 1 })
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: messages(0, 'committed') })
    const lost = net.rule({ api: 'EndTxn', side: 'answer', action: 'drop', client, times: 1 })
    await expect(transaction.commit()).rejects.toThrow()
    await expect(transaction.abort()).rejects.toThrow()
    await expect(producer.transaction()).rejects.toThrow()
    expect(await visible(topic)).toEqual(['committed'])
    lost.remove()
    await producer.disconnect()
  })
})

describe("kafkajs's read_committed consumer", () => {
  it('hands over records of interleaved aborted transactions (K5)', async () => {
    const { kafka, topic } = await open()
    const [a, b] = [await aborting(topic, 'a0'), await aborting(topic, 'b1')]
    await a.write(keyed('a', 'a2'))
    await b.end(false)
    await a.write(keyed('a', 'a4'))
    await a.end(false)
    await a.write(keyed('a', 'committed'))
    await a.end(true)
    expect(await visible(topic)).toEqual(['committed'])
    const read = await naiveRead(kafka, topic, 'committed')
    expect(read.length).toBeGreaterThan(1)
    await Promise.all([a.close(), b.close()])
  })

  it('takes a key of four zero bytes for the end of an aborted transaction (K6)', async () => {
    const { kafka, topic } = await open()
    const a = await aborting(topic, 'first')
    await a.write([{ key: Buffer.alloc(4), value: Buffer.from('zero') }])
    await a.write(keyed('a', 'behind'))
    await a.end(false)
    await a.write(keyed('a', 'committed'))
    await a.end(true)
    expect(await visible(topic)).toEqual(['committed'])
    expect(await naiveRead(kafka, topic, 'committed')).toContain('behind')
    await a.close()
  })
})

function aborting(topic: string, first: string) {
  return openTransaction(`aborting-${randomUUID()}`, topic, keyed('a', first), net.brokers)
}

function keyed(key: string, value: string) {
  return [{ key: Buffer.from(key), value: Buffer.from(value) }]
}
