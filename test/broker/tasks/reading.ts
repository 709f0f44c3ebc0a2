import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import avsc from 'avsc'
import kafkajs from 'kafkajs'
import type { Kafka } from '../../../services/runtime/kafka/client.ts'
import { until } from '../kafka-support.ts'

/** A committed record as kafkajs's own consumer hands it out. */
export interface Read {
  readonly offset: number
  readonly key: string
  readonly value: Buffer | null
  readonly timestamp: number
}

/** Reads topics from their beginning with kafkajs's own consumer, which shares no code with the runtime. */
export interface Follower {
  of(topic: string, partition?: number): readonly Read[]
  count(topic: string): number
  /** Puts a last record behind everything and waits for it: nothing that was committed before is missing. */
  toEnd(kafka: Kafka): Promise<void>
  close(): Promise<void>
}

const lastKey = '~last'

export async function follow(
  brokers: string,
  topics: readonly { readonly topic: string; readonly partitions: number }[],
): Promise<Follower> {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING })
  const consumer = client.consumer({ groupId: `read-${randomUUID()}`, maxWaitTimeInMs: 50 })
  const read = new Map<string, Read[]>()
  const last = new Set<string>()
  await consumer.connect()
  await consumer.subscribe({ topics: topics.map(({ topic }) => topic), fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const place = `${topic}/${partition}`
      const key = String(message.key)
      if (key === lastKey) {
        last.add(place)
        return
      }
      const { offset, value, timestamp } = message
      const known = read.get(place) ?? []
      read.set(place, known)
      known.push({ offset: Number(offset), key, value, timestamp: Number(timestamp) })
    },
  })
  const of = (topic: string, partition = 0) => read.get(`${topic}/${partition}`) ?? []
  const places = topics.flatMap(({ topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  return {
    of,
    count: (topic) =>
      places
        .filter((place) => place.topic === topic)
        .reduce((sum, { partition }) => sum + of(topic, partition).length, 0),
    async toEnd(kafka) {
      const writer = await kafka.plainWriter()
      await writer.write(
        places.map((place) => ({ ...place, records: [{ key: Buffer.from(lastKey), value: null }] })),
      )
      await writer.close()
      await until('the last record is read', () =>
        places.every(({ topic, partition }) => last.has(`${topic}/${partition}`)),
      )
    },
    close: () => consumer.disconnect(),
  }
}

/** Position, index and the like of a checkpoint. */
export interface Checkpoint {
  readonly position: number
  readonly index: number
  readonly incarnation: number
  readonly watermark: number
}

/** What the records of a changelog leave when each key keeps its last value. */
export function foldOf(records: readonly Read[]): {
  state: Record<string, string>
  checkpoints: Checkpoint[]
} {
  const state: Record<string, string> = {}
  const checkpoints: Checkpoint[] = []
  for (const { key, value } of records) {
    const entry = value === null ? null : (entryType.fromBuffer(value.subarray(5)) as Entry)
    if (entry === null) delete state[key]
    else if (entry.checkpoint !== null) checkpoints.push(entry.checkpoint)
    else state[key] = String(entry.value)
  }
  return { state, checkpoints }
}

/** What each writer last said of itself in the control topic, by writer. */
export function standingsOf(records: readonly Read[]): Map<string, Standing> {
  const said = records.map(({ value }) => controlType.fromBuffer(value!.subarray(5)) as Standing)
  return new Map(said.map((standing) => [standing.writer, standing]))
}

export interface Standing {
  readonly writer: string
  readonly watermark: number
  readonly idle: boolean
  readonly ended: boolean
}

interface Entry {
  readonly value: Buffer | null
  readonly checkpoint: Checkpoint | null
}

const schemaText = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../schemas/${name}.avsc`, import.meta.url), 'utf8'))
const registry: Record<string, avsc.Type> = {}
avsc.Type.forSchema(schemaText('checkpoint'), { registry })
const entryType = avsc.Type.forSchema(schemaText('changelog-entry'), { registry })
const controlType = avsc.Type.forSchema(schemaText('control'))
