import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import { KafkaFenced, KafkaRefused } from '../../services/runtime/kafka/failures.ts'
import type { Fetcher } from '../../services/runtime/kafka/fetch.ts'
import { openTransaction } from './kafka-open-transaction.ts'
import { connect, newTopic, readAll, records, valuesOf } from './kafka-support.ts'

let kafka: Kafka
let fetcher: Fetcher

beforeAll(async () => {
  kafka = connect()
  fetcher = await kafka.fetcher()
})
afterAll(() => kafka.close())

const newId = () => `id-${randomUUID()}`

describe('a transactional writer', () => {
  it('commits to several topics at once and says where the records went', async () => {
    const [a, b] = [await newTopic(kafka, 2), await newTopic(kafka)]
    const writer = await kafka.writer({ transactionalId: newId() })
    const first = await writer.commit([
      { topic: a, partition: 0, records: records('1', '2') },
      { topic: a, partition: 1, records: records('3') },
      { topic: b, partition: 0, records: records('4') },
      { topic: b, partition: 0, records: [] },
      { topic: a, partition: 0, records: records('5') },
    ])
    expect(first.find(({ topic, partition }) => topic === a && partition === 0)).toEqual({
      topic: a,
      partition: 0,
      baseOffset: 0,
      lastOffset: 2,
      count: 3,
    })
    // The commit marker takes offset 3.
    const [second] = await writer.commit([{ topic: a, partition: 0, records: records('6') }])
    expect(second!.baseOffset).toBe(4)
    expect(valuesOf(await readAll(fetcher, a, 0))).toEqual(['1', '2', '5', '6'])
    expect(valuesOf(await readAll(fetcher, a, 1))).toEqual(['3'])
    expect(valuesOf(await readAll(fetcher, b, 0))).toEqual(['4'])
    expect(await writer.commit([])).toEqual([])
    await writer.close()
  })

  it('keeps keys, timestamps, headers and tombstones', async () => {
    const topic = await newTopic(kafka)
    const writer = await kafka.writer({ transactionalId: newId() })
    const headers = { reason: 'late', bytes: Buffer.from([0, 255]) }
    await writer.commit([
      {
        topic,
        partition: 0,
        records: [
          { key: Buffer.from('k'), value: null, timestamp: 0, headers },
          { key: null, value: Buffer.from('v'), timestamp: 1_700_000_000_001 },
        ],
      },
    ])
    const [tombstone, plain] = await readAll(fetcher, topic)
    expect(tombstone).toMatchObject({ offset: 0, timestamp: 0, value: null })
    expect(String(tombstone!.headers['reason'])).toBe('late')
    expect(tombstone!.headers['bytes']).toEqual(Buffer.from([0, 255]))
    expect(plain).toMatchObject({ offset: 1, timestamp: 1_700_000_000_001, key: null })
    await writer.close()
  })

  it('hides what a dead writer left open, and its successor lets readers go on', async () => {
    const topic = await newTopic(kafka)
    const id = newId()
    const dead = await openTransaction(id, topic, records('half'))
    const position = { topic, partition: 0, offset: 0 }
    const [before] = await fetcher.fetch([position], { maxWaitMs: 50 })
    expect(before).toMatchObject({ records: [], nextOffset: 0, highWatermark: 1, lastStableOffset: 0 })

    const successor = await kafka.writer({ transactionalId: id })
    await successor.commit([{ topic, partition: 0, records: records('whole') }])
    expect(valuesOf(await readAll(fetcher, topic))).toEqual(['whole'])
    await expect(dead.end(true)).rejects.toThrow(/INVALID_PRODUCER_EPOCH|newer producer|older epoch|epoch/i)
    await successor.close()
    await dead.close()
  })

  it('is fenced by a newer one with the same id, and refuses from then on', async () => {
    const topic = await newTopic(kafka)
    const id = newId()
    const old = await kafka.writer({ transactionalId: id })
    await old.commit([{ topic, partition: 0, records: records('old') }])
    const young = await kafka.writer({ transactionalId: id })
    await young.commit([{ topic, partition: 0, records: records('young') }])
    await expect(old.commit([{ topic, partition: 0, records: records('zombie') }])).rejects.toThrow(
      KafkaFenced,
    )
    expect(old.broken).toBe(true)
    await expect(old.commit([{ topic, partition: 0, records: records('zombie') }])).rejects.toThrow(
      KafkaRefused,
    )
    expect(valuesOf(await readAll(fetcher, topic))).toEqual(['old', 'young'])
    await Promise.all([old.close(), young.close()])
  })

  it('splits a commit that is larger than one record batch may be, in order and in one transaction', async () => {
    const [topic, other] = [await newTopic(kafka), await newTopic(kafka)]
    const writer = await kafka.writer({ transactionalId: newId() })
    const large = Array.from({ length: 60 }, (_, index) => ({
      key: Buffer.from(String(index)),
      value: Buffer.alloc(100_000, index),
    }))
    const produced = await writer.commit([
      { topic, partition: 0, records: large },
      { topic: other, partition: 0, records: records('small') },
    ])
    expect(produced.find((one) => one.topic === topic)).toMatchObject({
      baseOffset: 0,
      lastOffset: 59,
      count: 60,
    })
    const read = await readAll(fetcher, topic)
    expect(read.map(({ key }) => Number(key))).toEqual(large.map((_, index) => index))
    // The sequence numbers went on through the split.
    await writer.commit([{ topic, partition: 0, records: records('next') }])
    expect((await readAll(fetcher, topic, 0, 60)).length).toBe(1)
    await writer.close()
  })

  it('says that a record is too large for the topic, and a new writer goes on', async () => {
    const topic = await newTopic(kafka, 1, { 'max.message.bytes': '2000' })
    const id = newId()
    const writer = await kafka.writer({ transactionalId: id })
    const tooLarge = [{ key: null, value: Buffer.alloc(5000) }]
    await expect(writer.commit([{ topic, partition: 0, records: tooLarge }])).rejects.toThrow(KafkaRefused)
    expect(writer.broken).toBe(true)
    const next = await kafka.writer({ transactionalId: id })
    await next.commit([{ topic, partition: 0, records: records('fits') }])
    expect(valuesOf(await readAll(fetcher, topic))).toEqual(['fits'])
    await Promise.all([writer.close(), next.close()])
  })

  it('refuses a second commit while the first is under way, and does not break', async () => {
    const topic = await newTopic(kafka)
    const writer = await kafka.writer({ transactionalId: newId() })
    const first = writer.commit([{ topic, partition: 0, records: records('first') }])
    await expect(writer.commit([{ topic, partition: 0, records: records('second') }])).rejects.toThrow(
      KafkaRefused,
    )
    await first
    expect(writer.broken).toBe(false)
    await writer.close()
  })

  it('commits again and again without waiting for the markers of the last transaction', async () => {
    const topic = await newTopic(kafka, 4)
    const writer = await kafka.writer({ transactionalId: newId() })
    for (let round = 0; round < 50; round += 1) {
      await writer.commit(
        [0, 1, 2, 3].map((partition) => ({ topic, partition, records: records(`${round}`) })),
      )
    }
    for (const partition of [0, 1, 2, 3]) expect((await readAll(fetcher, topic, partition)).length).toBe(50)
    await writer.close()
  })
})

describe('a plain writer', () => {
  it('writes to several partitions and says where the records went', async () => {
    const topic = await newTopic(kafka, 2)
    const writer = await kafka.plainWriter()
    await writer.write([{ topic, partition: 1, records: records('a') }])
    const produced = await writer.write([
      { topic, partition: 0, records: records('b', 'c') },
      { topic, partition: 1, records: records('d') },
    ])
    expect(produced).toContainEqual({ topic, partition: 1, baseOffset: 1, lastOffset: 1, count: 1 })
    expect(valuesOf(await readAll(fetcher, topic, 1))).toEqual(['a', 'd'])
    await writer.close()
  })

  it('throws for what is refused and can be used again', async () => {
    const topic = await newTopic(kafka, 1, { 'max.message.bytes': '2000' })
    const writer = await kafka.plainWriter()
    const tooLarge = [{ key: null, value: Buffer.alloc(5000) }]
    await expect(writer.write([{ topic, partition: 0, records: tooLarge }])).rejects.toThrow(KafkaRefused)
    await writer.write([{ topic, partition: 0, records: records('fits') }])
    expect(valuesOf(await readAll(fetcher, topic))).toEqual(['fits'])
    await writer.close()
  })
})
