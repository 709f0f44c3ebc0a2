import { crc32 } from 'node:zlib'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { until } from '../end-to-end/command.ts'
import {
  goodFlight,
  jsonRecord,
  openServiceRun,
  partitions,
  type RunningService,
  type ServiceRun,
} from './service-run.ts'

const airports = Array.from({ length: 60 }, (_, at) => `${letter(at / 26)}${letter(at)}X`)

let run: ServiceRun
let features: RunningService

beforeAll(async () => {
  run = await openServiceRun()
  features = await run.start('features')
}, 120_000)
afterAll(() => run?.[Symbol.asyncDispose]())

it('a topic that a producer fills by CRC32 is noticed once and counted; one that is filled as Java does is not', async () => {
  const landed = airports.map((key) => ({ key, value: JSON.stringify({ note: 'no landing' }) }))
  await produceAsJavaDoes(run.landings, landed)
  let misplaced = 0
  for (const [at, key] of airports.entries()) {
    // librdkafka's default, consistent_random: CRC32 of the key modulo the partitions.
    const partition = crc32(key) % partitions
    await run.produce(run.departures, partition, jsonRecord(goodFlight(`F${30_000 + at}`), key))
  }
  // Without a key, any partition is right.
  for (let partition = 0; partition < partitions; partition += 1)
    await run.produce(run.departures, partition, jsonRecord(goodFlight(`F${31_000 + partition}`), null))
  await until('all vectors and letters', 60_000, async () => {
    const [ids, letters] = [await run.vectorIds(), await run.letters()]
    return ids.length === airports.length + partitions && letters.length === landed.length ? true : undefined
  })

  const metrics = await (await fetch(`${features.address}/metrics`)).text()
  const counts = [...metrics.matchAll(/^tidemark_misplaced_records_total\{topic="([^"]+)".*\} (\d+)$/gm)]
  expect(counts.map(([, topic]) => topic)).toEqual([run.departures])
  misplaced = Number(counts[0]![2])
  // Three of four keys, give or take: the two hashes know nothing of each other.
  expect(misplaced).toBeGreaterThan(30)
  expect(misplaced).toBeLessThan(60)
  const warnings = features.child
    .stderr()
    .split('\n')
    .filter((line) => line.includes('TM_PARTITIONER'))
  expect(warnings).toHaveLength(1)
  expect(JSON.parse(warnings[0]!)).toMatchObject({ level: 40, topic: run.departures, misplaced: 1 })
  await features.stop()
})

/** kafkajs's own producer and its own murmur2, not ours. */
async function produceAsJavaDoes(topic: string, messages: { key: string; value: string }[]): Promise<void> {
  const { Kafka, logLevel, Partitioners } = kafkajs
  const client = new Kafka({ brokers: inject('brokers').split(','), logLevel: logLevel.NOTHING })
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({ topic, messages })
  await producer.disconnect()
}

function letter(at: number): string {
  return String.fromCharCode(65 + (Math.floor(at) % 26))
}
