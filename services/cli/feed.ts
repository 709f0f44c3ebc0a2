import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { valueSubject } from '../../schemas/catalogue.ts'
import type { RecordSchema } from '../../schemas/schema.ts'
import type { Demo, DemoRecord } from '../../topologies/demo.ts'
import { parseSchema } from '../runtime/codec/avro.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import { KafkaUnavailable, KafkaUnknown } from '../runtime/kafka/failures.ts'
import { partitionOf } from '../runtime/kafka/partition.ts'
import type { OutBatch, OutRecord, PlainWriter } from '../runtime/kafka/writer.ts'

export async function loadDemo(folder: string): Promise<Demo | undefined> {
  const file = ['demo.ts', 'demo.js'].map((name) => join(folder, name)).find((each) => existsSync(each))
  if (file === undefined) return undefined
  const { demo } = (await import(pathToFileURL(file).href)) as { demo: Demo }
  return demo
}

/** Turns records into bytes as their topic wants them; registers the Avro schemas first. */
export async function encoderOf(formats: Demo['formats'], registry: Registry) {
  const encoders = new Map<string, (value: object) => Buffer>()
  for (const [topic, format] of Object.entries(formats)) {
    if (format === 'json') {
      encoders.set(topic, (value) => Buffer.from(JSON.stringify(value)))
      continue
    }
    const id = await registry.register(valueSubject(topic), format.avro as RecordSchema, 'FULL_TRANSITIVE')
    const type = parseSchema(format.avro)
    const header = Buffer.alloc(5)
    header.writeUInt32BE(id, 1)
    encoders.set(topic, (value) => Buffer.concat([header, type.toBuffer(value)]))
  }
  return ({ topic, value }: DemoRecord): Buffer => {
    if (value instanceof Uint8Array) return Buffer.from(value)
    const encode = encoders.get(topic)
    if (encode === undefined) throw new Error(`no format is given for ${topic}`)
    return encode(value)
  }
}

export interface Feed {
  /** Records written so far, by topic. */
  readonly produced: ReadonlyMap<string, number>
  /** As fast as Kafka takes it. */
  pour(records: Iterable<DemoRecord>): Promise<void>
  /** At a steady rate; `onSent` gets each record and when it was handed over. */
  trickle(
    records: Iterable<DemoRecord>,
    perSecond: number,
    onSent: (record: DemoRecord, atMs: number) => void,
  ): Promise<void>
}

/** Small enough that all partitions fill up together, as they would with many producers. */
const chunkRecords = 200

export function createFeed(
  writer: PlainWriter,
  encode: (record: DemoRecord) => Buffer,
  partitionsOf: (topic: string) => number,
  say: (line: string) => void = () => {},
): Feed {
  const produced = new Map<string, number>()
  async function send(records: readonly DemoRecord[]): Promise<void> {
    const batches = new Map<string, { topic: string; partition: number; records: OutRecord[] }>()
    for (const record of records) {
      const { topic } = record
      const key = record.key === null ? null : Buffer.from(record.key)
      const partition = key === null ? 0 : partitionOf(key, partitionsOf(topic))
      const place = `${topic}/${partition}`
      const batch = batches.get(place) ?? { topic, partition, records: [] }
      batch.records.push({ key, value: encode(record) })
      batches.set(place, batch)
    }
    await writePatiently(writer, [...batches.values()], say)
    for (const { topic } of records) produced.set(topic, (produced.get(topic) ?? 0) + 1)
  }
  return {
    produced,
    async pour(records) {
      let chunk: DemoRecord[] = []
      for (const record of records) {
        chunk.push(record)
        if (chunk.length < chunkRecords) continue
        await send(chunk)
        chunk = []
      }
      if (chunk.length > 0) await send(chunk)
    },
    async trickle(records, perSecond, onSent) {
      const startedMs = performance.now()
      let sent = 0
      for (const record of records) {
        const dueMs = startedMs + (1000 * sent) / perSecond
        if (dueMs > performance.now()) await sleep(dueMs - performance.now())
        onSent(record, performance.now())
        await send([record])
        sent += 1
      }
    },
  }
}

/** What `tidemark produce` and the demo write with: at least once, but never silently less. */
export async function openFeed(
  kafka: Kafka,
  registry: Registry,
  formats: Demo['formats'],
  partitionsOf: (topic: string) => number,
  say?: (line: string) => void,
): Promise<{ feed: Feed; close(): Promise<void> }> {
  const writer = await kafka.plainWriter()
  const encode = await encoderOf(formats, registry)
  return { feed: createFeed(writer, encode, partitionsOf, say), close: () => writer.close() }
}

const firstWaitMs = 100
const longestWaitMs = 5_000

/**
 * Writes until Kafka says that it has, for as long as it takes: a broker may be away, or its partitions on their way
 * to another. Some of what is then written again is in the topic already; a record's id tells that they are one.
 *
 * @throws what trying again does not cure: a refusal, or a connection that was closed here
 */
async function writePatiently(
  writer: PlainWriter,
  batches: OutBatch[],
  say: (line: string) => void,
): Promise<void> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      await writer.write(batches)
      if (waitMs > firstWaitMs) say('Kafka takes records again')
      return
    } catch (error) {
      const passes = error instanceof KafkaUnknown || error instanceof KafkaUnavailable
      if (!passes || error.reason === 'CLOSED') throw error
      say(`Kafka did not take the records (${error.reason}); the next try is in ${waitMs} ms`)
    }
    await sleep(waitMs)
  }
}
