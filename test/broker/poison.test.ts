import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Letter } from '../../services/cli/dead-letters-topic.ts'
import { brokenBatchHeader } from '../../services/runtime/dead-letter.ts'
import type { CodecName } from '../../services/runtime/kafka/compression.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'
import { until } from '../end-to-end/command.ts'
import { framed } from '../runtime/codec/known-schemas.ts'
import { damagedBatch, produceRaw } from './poison-batch.ts'
import {
  avroFlight,
  flightSchema,
  oddRecords,
  type Poison,
  poisonRecords,
  registerPoison,
} from './poison-records.ts'
import { type MoodyRegistry, openMoodyRegistry, type RegistryMood } from './poison-registry.ts'
import {
  goodFlight,
  jsonRecord,
  openServiceRun,
  partitions,
  type RunningService,
  type ServiceRun,
  standingOf,
} from './service-run.ts'

let run: ServiceRun
let registry: MoodyRegistry
let features: RunningService
let poisons: Poison[]
/** What must come out of it: letters by where their records stand, and the flights between them. */
const expected = new Map<string, OutRecord>()
const titles = new Map<string, Poison>()
const flights: string[] = []

beforeAll(async () => {
  run = await openServiceRun()
  registry = await openMoodyRegistry(inject('registry'))
  const schemas = await registerPoison(run.registry, run.departures)
  poisons = poisonRecords(schemas)
  features = await startFeatures()

  const odd = oddRecords(schemas)
  for (const [at, poison] of poisons.entries()) {
    const partition = at % partitions
    // A good record before and after each, in the same batch.
    const offset = await run.produce(run.departures, partition, flight(), poison.record, flight())
    const standing = standingOf({ topic: run.departures, partition, offset: offset + 1 })
    expected.set(standing, poison.record)
    titles.set(standing, poison)
    if (at === Math.floor(poisons.length / 2)) await killInTheMiddle()
  }
  for (const [at, { record, id }] of odd.entries()) {
    await run.produce(run.departures, at % partitions, record)
    flights.push(id)
  }
  await settled()
}, 180_000)

afterAll(async () => {
  await run?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

describe('poison in a source topic', () => {
  it('is of more than forty kinds', () => {
    expect(new Set(poisons.map(({ title }) => title)).size).toBe(poisons.length)
    expect(poisons.length).toBeGreaterThan(40)
  })

  it('becomes exactly one dead letter each, with its bytes, key and headers, through kill -9', async () => {
    const letters = await run.letters()
    expect(letters.map(({ record }) => standingOf(record)).toSorted()).toEqual(
      [...expected.keys()].toSorted(),
    )
    for (const { record, headers } of letters) {
      const { title, record: sent } = titles.get(standingOf(record))!
      expect(record.key === null ? null : Buffer.from(record.key), title).toEqual(sent.key)
      expect(record.value === null ? null : Buffer.from(record.value), title).toEqual(sent.value)
      expect(record, title).toMatchObject({ truncated: false, valueSha256: null, stage: 'ingest' })
      expect(headers['poison']?.toString()).toBe(title)
      expect(headers['bytes']).toEqual(Buffer.from([0, 255, 10]))
    }
  })

  it('is told by reason and detail, which hold nothing of the record', async () => {
    for (const { record } of await run.letters()) {
      const { title, reason, detail } = titles.get(standingOf(record))!
      expect(record.reason, title).toBe(reason)
      expect(record.detail, title).toMatch(detail)
      for (const value of ['F000001', 'cargo', 'atl:', '10001'])
        expect(record.detail, title).not.toContain(value)
    }
  })

  it('is told once more in the headers of KIP-1034', async () => {
    for (const { record, headers } of await run.letters()) {
      const about = Object.fromEntries(
        ['exception', 'message', 'topic', 'partition', 'offset'].map((name) => [
          name,
          headers[`__streams.errors.${name}`]?.toString(),
        ]),
      )
      expect(about).toEqual({
        exception: record.reason,
        message: record.detail,
        topic: record.topic,
        partition: String(record.partition),
        offset: String(record.offset),
      })
    }
  })

  it('harms no good record beside it, nor any that is only strange', async () => {
    expect(await run.vectorIds()).toEqual(flights.toSorted())
  })

  it('is in the books: in = applied + late + duplicate + dead-lettered', async () => {
    const statuses = (await (await fetch(`${features.address}/status`)).json()) as TaskStatus[]
    const ingest = statuses.filter(
      ({ stage, topic }) => stage.startsWith('ingest') && topic === run.departures,
    )
    const sum = (name: string) => ingest.reduce((total, { counts }) => total + (counts[name] ?? 0), 0)
    expect(sum('in')).toBe(flights.length + expected.size)
    expect(sum('deadLettered')).toBe(expected.size)
    expect(sum('applied') + sum('late') + sum('duplicate') + sum('deadLettered')).toBe(sum('in'))
  })
})

describe('what is too large', () => {
  it('is kept as its first 64 KiB and its sha256, and its headers with it', async () => {
    const sent = {
      key: Buffer.from('ATL'),
      value: Buffer.alloc(1_500_000, 'large '),
      headers: { size: 'large' },
    }
    const { record, headers } = await letterOf(sent)
    expect(record).toMatchObject({
      reason: 'undecodable',
      truncated: true,
      valueSha256: createHash('sha256').update(sent.value).digest('hex'),
    })
    expect(Buffer.from(record.value!)).toEqual(sent.value.subarray(0, 65_536))
    expect(headers['size']?.toString()).toBe('large')
  })

  it('may be the headers: they are left out, and counted', async () => {
    const value = Buffer.from('bad')
    const many = Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`name-${at}`, 'x'.repeat(30)]))
    const { record, headers } = await letterOf({ key: null, value, headers: many })
    expect(Buffer.from(record.value!)).toEqual(value)
    expect(headers['tidemark.headers-left-out']?.toString()).toBe('40000')
    expect(Object.keys(headers)).toHaveLength(6)
  })

  it.each<CodecName>(['gzip', 'zstd', 'snappy', 'lz4'])(
    'is a batch that %s blows up: one letter without bytes stands for it',
    async (compression) => {
      const bomb = await run.kafka.plainWriter({ compression })
      const records = [{ key: Buffer.from('b'), value: Buffer.alloc(70 << 20) }]
      const [written] = await bomb.write([{ topic: run.departures, partition: 2, records }])
      await bomb.close()
      const after = flight()
      await run.produce(run.departures, 2, after)
      const { record, headers } = await letterAt(run.departures, 2, written!.baseOffset)
      expect(record).toMatchObject({ key: null, value: null, reason: 'undecodable' })
      expect(record.detail).toMatch(/^its record batch is broken: /)
      expect(headers[brokenBatchHeader]).toBeDefined()
      await settled()
    },
    60_000,
  )
})

describe('what the broker itself keeps out of a topic, so that no service meets it', () => {
  it.each<[string, (bytes: Buffer) => void, boolean, RegExp]>([
    ['a wrong checksum', (bytes) => bytes.writeUInt32BE(1, 17), false, /CORRUPT_MESSAGE/],
    ['a codec that nobody knows', (bytes) => bytes.writeInt16BE(5, 21), true, /./],
    ['a codec that the batch was not written with', (bytes) => bytes.writeInt16BE(1, 21), true, /./],
  ])('%s', async (_, damage, fits, error) => {
    const record = { key: Buffer.from('ATL'), value: Buffer.from('{}') }
    expect(await produceRaw(run.departures, 0, damagedBatch(record, damage, fits))).toMatch(error)
  })

  it('a Kafka timestamp of the year 9999', async () => {
    const record = { ...jsonRecord(goodFlight('F09999')), timestamp: Date.UTC(9999, 11, 31) }
    await expect(run.produce(run.departures, 0, record)).rejects.toMatchObject({
      name: 'KafkaRefused',
      reason: 'INVALID_TIMESTAMP',
    })
  })
})

describe('a registry that is not itself', () => {
  it.each<RegistryMood>(['down', 'failing', 'rubbish', 'foreign-404'])(
    'makes a record of a new schema wait while it is %s, and no dead letter of it',
    async (mood) => {
      // A schema that the service has not met: it has to ask.
      const note = { name: `note_${mood.replace('-', '_')}`, type: 'string', default: '' }
      const id = await run.registry.register(`${run.departures}-${mood}`, flightWith(note), 'FULL')
      const before = (await run.letters()).length
      const asked = registry.spoilt
      registry.mood = mood
      const name = nextFlight()
      const value = framed(id, Buffer.concat([avroFlight(name), Buffer.from([0])]))
      await run.produce(run.departures, 1, { key: Buffer.from('ATL'), value })
      // Another partition goes on meanwhile.
      await run.produce(run.departures, 3, flight())
      await until('the service has asked more than once', 30_000, async () =>
        registry.spoilt >= asked + 3 ? true : undefined,
      )
      expect((await run.letters()).length).toBe(before)
      expect(await run.vectorIds()).not.toContain(name)
      expect(features.child.stderr()).toContain('The schema registry does not answer')
      expect((await fetch(`${features.address}/health`)).status).toBe(200)
      registry.mood = 'well'
      await settled()
      expect((await run.letters()).length).toBe(before)
    },
    120_000,
  )
})

it('the service has lived through all of it, and ends as it should', async () => {
  await features.stop()
})

interface TaskStatus {
  readonly stage: string
  readonly topic: string
  readonly counts: Readonly<Record<string, number>>
}

let lastFlight = 10_000

function nextFlight(): string {
  lastFlight += 1
  const id = `F${lastFlight}`
  flights.push(id)
  return id
}

function flight(): OutRecord {
  return jsonRecord(goodFlight(nextFlight()))
}

function startFeatures(): Promise<RunningService> {
  return run.start('features', { SCHEMA_REGISTRY_URL: registry.url })
}

/** Not before some letters are out, so that they, too, could come twice. */
async function killInTheMiddle(): Promise<void> {
  await until('some letters are written', 60_000, async () =>
    (await run.letters()).length > 3 ? true : undefined,
  )
  features.child.kill('SIGKILL')
  await features.child.ended
  features = await startFeatures()
}

/** All flights have their vector, and all poison its letter. */
async function settled(): Promise<void> {
  let ids: string[] = []
  await until('all letters and vectors are written', 90_000, async () => {
    const letters = await run.letters()
    ids = await run.vectorIds()
    return letters.length >= expected.size && ids.length >= flights.length ? true : undefined
  }).catch((error: Error) => {
    const missing = flights.filter((id) => !ids.includes(id))
    throw new Error(
      `${error.message}; no vector of ${missing.slice(0, 5)}; ${features.child.stderr().slice(-2_000)}`,
    )
  })
}

async function letterOf(record: OutRecord): Promise<Letter> {
  const offset = await run.produce(run.departures, 0, record)
  return letterAt(run.departures, 0, offset)
}

async function letterAt(topic: string, partition: number, offset: number): Promise<Letter> {
  const standing = standingOf({ topic, partition, offset })
  return until(`a letter of ${standing}`, 60_000, async () =>
    (await run.letters()).find(({ record }) => standingOf(record) === standing),
  )
}

/** The flight's schema with one more field at its end. */
function flightWith(field: object): object {
  return { ...flightSchema, fields: [...flightSchema.fields, field] }
}
