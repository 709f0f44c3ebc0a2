import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import { KafkaUnavailable } from '../../services/runtime/kafka/failures.ts'
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

describe('a fetcher', () => {
  it('hands over no record of interleaved aborted transactions, from whichever offset it starts', async () => {
    const topic = await newTopic(kafka)
    const a = await openTransaction(`a-${randomUUID()}`, topic, records('a0')) // 0
    const b = await openTransaction(`b-${randomUUID()}`, topic, records('b1')) // 1
    await a.write(records('a2'))
    await b.end(false) // 3: B began later and ends first, so the broker lists it first
    await a.write(records('a4'))
    await a.end(false) // 5
    await a.write(records('A6'))
    await a.end(true)
    await b.write(records('b8'))
    await a.write(records('a9'))
    await a.end(false)
    await b.end(false)
    await b.write(records('B12'))
    await b.end(true)
    for (let from = 0; from <= 14; from += 1) {
      const expected = [...(from <= 6 ? ['A6'] : []), ...(from <= 12 ? ['B12'] : [])]
      expect(valuesOf(await readAll(fetcher, topic, 0, from)), `from ${from}`).toEqual(expected)
    }
    await Promise.all([a.close(), b.close()])
  })

  it('does not take a key of four zero bytes in an aborted transaction for its end', async () => {
    const topic = await newTopic(kafka)
    const zero = [{ key: Buffer.alloc(4), value: Buffer.from('aborted') }]
    const a = await openTransaction(`a-${randomUUID()}`, topic, zero)
    await a.write(zero)
    await a.write(records('aborted too'))
    await a.end(false)
    await a.write(zero)
    await a.end(true)
    expect((await readAll(fetcher, topic)).map(({ offset }) => offset)).toEqual([4])
    await a.close()
  })

  it('says that a position is out of range and where the log begins and ends', async () => {
    const topic = await newTopic(kafka)
    const writer = await kafka.plainWriter()
    await writer.write([{ topic, partition: 0, records: records('0', '1', '2', '3') }])
    const admin = await kafka.admin()
    await admin.deleteRecords({ topic, partition: 0 }, 2)
    const range = {
      error: 'offset-out-of-range',
      logStart: 2,
      highWatermark: 4,
      lastStableOffset: 4,
      records: [],
    }
    for (const offset of [0, 1, 5, 900]) {
      const [answer] = await fetcher.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 50 })
      expect(answer).toEqual({ topic, partition: 0, nextOffset: offset, ...range })
    }
    expect(valuesOf(await readAll(fetcher, topic, 0, 2))).toEqual(['2', '3'])
    expect(await fetcher.startOffsets([{ topic, partition: 0 }])).toEqual(new Map([[`${topic}/0`, 2]]))
    await Promise.all([writer.close(), admin.close()])
  })

  it('does not let one partition out of range or one full partition hold up the others', async () => {
    const topic = await newTopic(kafka, 3)
    const writer = await kafka.plainWriter()
    const many = Array.from({ length: 3000 }, (_, index) => ({ key: null, value: Buffer.alloc(1000, index) }))
    await writer.write([
      { topic, partition: 0, records: many },
      { topic, partition: 1, records: records('one') },
    ])
    const positions = [0, 1, 2].map((partition) => ({ topic, partition, offset: partition === 2 ? 50 : 0 }))
    const seen = new Set<string>()
    for (let round = 0; round < 6; round += 1) {
      const options = { maxWaitMs: 50, maxBytes: 100_000, maxBytesPerPartition: 100_000 }
      for (const { partition, error, records: read } of await fetcher.fetch(positions, options)) {
        if (read.length > 0 || error !== undefined) seen.add(`${partition} ${error ?? 'read'}`)
      }
    }
    expect([...seen].sort()).toEqual(['0 read', '1 read', '2 offset-out-of-range'])
    await writer.close()
  })

  it('waits for the broker when there is nothing, and comes back as soon as there is', async () => {
    const topic = await newTopic(kafka)
    const [empty] = await fetcher.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 50 })
    expect(empty).toMatchObject({
      records: [],
      nextOffset: 0,
      highWatermark: 0,
      lastStableOffset: 0,
      logStart: 0,
    })
    const writer = await kafka.plainWriter()
    const waiting = fetcher.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 20_000 })
    await writer.write([{ topic, partition: 0, records: records('now') }])
    const [answer] = await waiting
    expect(valuesOf(answer!.records)).toEqual(['now'])
    await writer.close()
  })

  it('ends a fetch that waits when it is closed, and does not connect again', async () => {
    const topic = await newTopic(kafka)
    const own = await kafka.fetcher()
    await own.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 10 })
    const startedAt = performance.now()
    const waiting = own.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 30_000 })
    const refused = expect(waiting).rejects.toThrow(KafkaUnavailable)
    await own.close()
    await refused
    await expect(own.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 10 })).rejects.toThrow(/CLOSED/)
    await expect(own.endOffsets([{ topic, partition: 0 }], 'committed')).rejects.toThrow(/CLOSED/)
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  it('serves two callers at once', async () => {
    const topic = await newTopic(kafka, 2)
    const writer = await kafka.plainWriter()
    await writer.write([0, 1].map((partition) => ({ topic, partition, records: records(`p${partition}`) })))
    const both = await Promise.all([0, 1].map((partition) => readAll(fetcher, topic, partition)))
    expect(both.map(valuesOf)).toEqual([['p0'], ['p1']])
    await writer.close()
  })
})
