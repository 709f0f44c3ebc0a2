import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectKafka, type Kafka } from '../../services/runtime/kafka/client.ts'
import { KafkaUnavailable, KafkaUnknown } from '../../services/runtime/kafka/failures.ts'
import { type Net, openNet } from '../faults/net/net.ts'
import type { Handle, Rule } from '../faults/net/rules.ts'
import { openTransaction } from './kafka-open-transaction.ts'
import { newTopic, readAll, until, valuesOf } from './kafka-support.ts'
import { type Entry, readWithJava, titleOf } from './net/books.ts'
import { batchesOf, clientOf, expectedValues, runTask } from './net/task.ts'

let net: Net
/** Direct: for topics and for reading what is there, whatever the rules say. */
let direct: Kafka
const books: Entry[] = []

beforeAll(async () => {
  net = await openNet({ nodes: 1 })
  direct = connectKafka({ brokers: net.directBrokers.split(','), clientId: 'direct' })
})
afterAll(async () => {
  await direct?.close()
  await net?.close()
})

/** Our own reader must see the values now, and Apache Kafka's in the last test. */
async function expectVisible(scenario: string, topic: string, partition: number, values: string[]) {
  const fetcher = await direct.fetcher()
  expect(valuesOf(await readAll(fetcher, topic, partition))).toEqual(values)
  await fetcher.close()
  books.push({ scenario, topic, partition, values })
}

type Fault = [name: string, rule: Pick<Rule, 'api' | 'side' | 'action'>, phase: string, committed: boolean]

const faults: Fault[] = [
  ['no answer to AddPartitionsToTxn', on('AddPartitionsToTxn', 'answer', 'drop'), 'add-partitions', false],
  ['AddPartitionsToTxn is lost', on('AddPartitionsToTxn', 'request', 'drop'), 'add-partitions', false],
  ['no answer to Produce', on('Produce', 'answer', 'drop'), 'produce', false],
  ['a reset in the middle of a Produce', on('Produce', 'request', 'cut'), 'produce', false],
  ['a reset instead of the answer to Produce', on('Produce', 'answer', 'reset'), 'produce', false],
  ['no answer to EndTxn', on('EndTxn', 'answer', 'drop'), 'end', true],
  ['a reset instead of the answer to EndTxn', on('EndTxn', 'answer', 'reset'), 'end', true],
  ['EndTxn is lost', on('EndTxn', 'request', 'drop'), 'end', false],
  [
    'answers stop, requests arrive',
    on('AddPartitionsToTxn', 'request', 'half-close'),
    'add-partitions',
    false,
  ],
]

function on(api: Rule['api'], side: Rule['side'], action: Rule['action']) {
  return { api, side, action }
}

describe('a task whose commit fails', () => {
  it.each(faults)('by %s does each transaction once', async (name, rule, phase, committed) => {
    const { kafka, client } = clientOf(net)
    const topic = await newTopic(direct, 2)
    let fault: Handle | undefined
    const failures = await runTask({
      kafka,
      topic,
      partitions: 2,
      transactions: 4,
      before: (transaction) => {
        if (transaction === 1) fault ??= net.rule({ ...rule, client, times: 1 })
      },
    })
    await kafka.close()
    expect(fault?.hits).toBe(1)
    // The log alone knows that an EndTxn whose answer is lost has committed.
    expect(failures).toEqual([{ transaction: 1, phase, committed }])
    for (const partition of [0, 1]) await expectVisible(name, topic, partition, expectedValues(partition, 4))
    fault?.remove()
  })
})

describe('an EndTxn that is late', () => {
  it('does not decide the transaction that its successor has begun', async () => {
    const { kafka, client } = clientOf(net)
    const topic = await newTopic(direct)
    const scenario = { topic, partitions: 1 }
    const late = net.rule({ ...on('EndTxn', 'request', 'hold'), client, times: 1 })
    const lost = await kafka.writer({ transactionalId: topic })
    await expect(lost.commit(batchesOf(scenario, 0))).rejects.toThrow(KafkaUnknown)
    await lost.close()

    const successor = clientOf(net)
    const begun = net.rule({ ...on('EndTxn', 'request', 'hold'), client: successor.client, times: 1 })
    const next = await successor.kafka.writer({ transactionalId: topic })
    const committing = next.commit(batchesOf(scenario, 1))
    // The successor's records are written and its transaction is open when the late EndTxn arrives.
    await begun.reached(1)
    const answered = net.rule({ ...on('EndTxn', 'answer', 'drop'), client })
    late.release()
    await answered.reached(1)
    const fetcher = await direct.fetcher()
    const [open] = await fetcher.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 10 })
    expect([open!.records, open!.lastStableOffset < open!.highWatermark]).toEqual([[], true])
    begun.release()
    await committing
    await expectVisible('a late EndTxn', topic, 0, expectedValues(0, 2).slice(3))
    await Promise.all([kafka.close(), successor.kafka.close(), fetcher.close()])
    for (const rule of [late, begun, answered]) rule.remove()
  })
})

describe('a fetcher', () => {
  it('reads each committed record once though every second answer is cut in the middle', async () => {
    const { kafka, client } = clientOf(net)
    const topic = await newTopic(direct)
    await runTask({ kafka: direct, topic, partitions: 1, transactions: 20 })
    const cut = net.rule({ ...on('Fetch', 'answer', 'cut'), client, share: 0.5, seed: 3, times: 8 })
    const fetcher = await kafka.fetcher()
    const values: string[] = []
    for (let offset = 0; values.length < 60 || cut.hits < 8; ) {
      // Small answers, so that it takes many.
      const options = { maxWaitMs: 10, maxBytes: 500, maxBytesPerPartition: 500 }
      const read = await fetcher.fetch([{ topic, partition: 0, offset }], options).catch((error) => {
        expect(error).toBeInstanceOf(KafkaUnavailable)
        return []
      })
      for (const answer of read) {
        values.push(...valuesOf(answer.records))
        offset = answer.nextOffset
      }
    }
    expect(values).toEqual(expectedValues(0, 20))
    cut.remove()
    await kafka.close()
  })

  it('leaves a connection on which answers have stopped', async () => {
    const { kafka, client } = clientOf(net)
    const topic = await newTopic(direct)
    await runTask({ kafka: direct, topic, partitions: 1, transactions: 1 })
    const fetcher = await kafka.fetcher()
    const silent = net.rule({ ...on('Fetch', 'request', 'half-close'), client, times: 1 })
    const position = { topic, partition: 0, offset: 0 }
    await expect(fetcher.fetch([position], { maxWaitMs: 10 })).rejects.toThrow(KafkaUnavailable)
    const [answer] = await fetcher.fetch([position], { maxWaitMs: 10 })
    expect([silent.hits, valuesOf(answer!.records)]).toEqual([1, expectedValues(0, 1)])
    await kafka.close()
  })

  it('shows nothing of aborted transactions: interleaved (K5), or with a key that looks like their end (K6)', async () => {
    const topic = await newTopic(direct)
    const begin = (first: string) =>
      openTransaction(`aborting-${randomUUID()}`, topic, zeroKeyed(first), net.brokers)
    const a = await begin('a0')
    const b = await begin('b1')
    await a.write(zeroKeyed('a2'))
    await b.end(false)
    await a.write(zeroKeyed('a4'))
    await a.end(false)
    await a.write(zeroKeyed('whole'))
    await a.end(true)
    await expectVisible('aborted transactions', topic, 0, ['whole'])
    await Promise.all([a.close(), b.close()])
  })
})

it('a plain writer leaves a connection on which answers have stopped', async () => {
  const { kafka, client } = clientOf(net)
  const topic = await newTopic(direct)
  const writer = await kafka.plainWriter()
  const silent = net.rule({ ...on('any', 'request', 'half-close'), client, times: 1 })
  const batches = batchesOf({ topic, partitions: 1 }, 0)
  await expect(writer.write(batches)).rejects.toThrow(KafkaUnknown)
  await writer.write(batches)
  expect(silent.hits).toBe(1)
  await expectVisible('a plain writer', topic, 0, expectedValues(0, 1))
  await kafka.close()
})

function zeroKeyed(value: string) {
  return [{ key: Buffer.alloc(4), value: Buffer.from(value) }]
}

describe('a broker that is killed and comes back', () => {
  it('is waited for by writer, fetcher and member, which go on by themselves', async () => {
    const { kafka } = clientOf(net)
    const topic = await newTopic(direct)
    const seen = { crashes: 0, heartbeats: 0 }
    const member = kafka.member({
      ...{ groupId: topic, topics: [topic], sessionTimeoutMs: 6_000, heartbeatMs: 100 },
      rebalanceTimeoutMs: 6_000,
      onAssigned: () => {},
      onHeartbeat: () => {
        seen.heartbeats += 1
      },
      onCrash: () => {
        seen.crashes += 1
      },
    })
    await member.start()
    await until('the member is in', () => seen.heartbeats > 0)
    const values: string[] = []
    const reading = new AbortController()
    const read = readOn(kafka, topic, values, reading.signal)
    let restarted: Promise<void> | undefined
    await runTask({
      ...{ kafka, topic, partitions: 1, transactions: 40 },
      before: (transaction) => {
        if (transaction === 20) restarted ??= net.killNode(1).then(() => net.restartNode(1))
      },
    })
    await restarted
    await until('everything is read', () => values.length >= 120)
    const { heartbeats } = seen
    await until('the member is in again', () => seen.heartbeats > heartbeats)
    reading.abort()
    expect(await read).toBeGreaterThan(0)
    expect(values).toEqual(expectedValues(0, 40))
    await expectVisible('a killed broker', topic, 0, expectedValues(0, 40))
    await kafka.close()
  })
})

/** Reads on and on, and counts how often nobody answered. */
async function readOn(kafka: Kafka, topic: string, values: string[], signal: AbortSignal): Promise<number> {
  const fetcher = await kafka.fetcher()
  let away = 0
  for (let offset = 0; !signal.aborted; ) {
    try {
      for (const answer of await fetcher.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 100 })) {
        values.push(...valuesOf(answer.records))
        offset = answer.nextOffset
      }
    } catch (error) {
      if (!(error instanceof KafkaUnavailable)) throw error
      away += 1
    }
  }
  await fetcher.close()
  return away
}

it("is all as Apache Kafka's own consumer reads it, and some records were aborted", async () => {
  const { values, hidden } = await readWithJava(net.directBrokers, books)
  expect(values).toEqual(new Map(books.map((entry) => [titleOf(entry), [...entry.values]])))
  expect(hidden).toBeGreaterThan(0)
})
