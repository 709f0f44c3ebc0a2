import { describe, expect, it } from 'vitest'
import { createIntake } from '../../services/runtime/intake.ts'
import { decodeBatches } from '../../services/runtime/kafka/batch-decoding.ts'
import { encodeBatch } from '../../services/runtime/kafka/batch-encoding.ts'
import { crc32c } from '../../services/runtime/kafka/crc32c.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import type { Placement } from '../../services/runtime/placement.ts'
import { readSource } from '../../services/runtime/read.ts'
import { knownSchemas } from './codec/known-schemas.ts'

const input = { topic: 'events', partitions: 4, source: true, writers: ['source'], own: false }
const identity = { producerId: -1, producerEpoch: -1, transactional: false, compression: 'none' } as const
const from = { topic: 'events', partition: 2, offset: 0 }

function reader(placement?: Placement) {
  const bytes = { wire: undefined as never, registry: knownSchemas() as never }
  return readSource(placement === undefined ? bytes : { ...bytes, placement }, [input])
}

function batch(damage: (bytes: Buffer) => void): Buffer {
  const bytes = encodeBatch([{ key: Buffer.from('k'), value: Buffer.from('{}') }], identity, -1, 5)
  damage(bytes)
  return bytes
}

/** What the task makes of a batch that a fetch brought. */
async function readBatch(bytes: Buffer) {
  const broken: number[] = []
  const intake = createIntake({
    ...{ input, partition: 2, position: 0, isNew: true },
    fail: (error) => {
      throw error
    },
    onBroken: (offset) => broken.push(offset),
  })
  const { undecodable, ...decoded } = decodeBatches(bytes, from, [], 1 << 20)
  const error = undecodable === undefined ? {} : { error: 'undecodable' as const, detail: undecodable }
  const ends = { highWatermark: 1, lastStableOffset: 1, logStart: 0 }
  intake.offer({ topic: 'events', partition: 2, ...decoded, ...ends, ...error }, 0)
  return { inputs: await reader()(intake.take(10, 1 << 20)), broken, next: intake.wants() }
}

describe('a broken record batch of a user', () => {
  it.each<[string, (bytes: Buffer) => void, RegExp]>([
    ['its checksum', (bytes) => bytes.writeUInt32BE(1, 17), /the checksum does not fit/],
    ['its format', (bytes) => bytes.writeUInt8(1, 16), /record format 1 is not readable/],
    ['a codec that nobody knows', (bytes) => recode(bytes, 5), /compression codec 5 is not known/],
    ['a codec that it was not written with', (bytes) => recode(bytes, 4), /./],
    ['a record that is longer than the batch', (bytes) => lengthen(bytes), /./],
  ])('is one input, undecodable by %s, and what follows is read', async (_, damage, why) => {
    const { inputs, broken, next } = await readBatch(batch(damage))
    expect([broken, next]).toEqual([[0], 1])
    expect(inputs).toMatchObject([
      { kind: 'source', place: { ...from }, record: { key: null, value: null, decoded: { ok: false } } },
    ])
    const { decoded } = (inputs[0] as { record: { decoded: { detail: string } } }).record
    expect(decoded.detail).toMatch(/^its record batch is broken: /)
    expect(decoded.detail.slice('its record batch is broken: '.length)).toMatch(why)
  })

  it('is not what a record makes of itself by a header', async () => {
    const headers = { 'tidemark.broken-batch': Buffer.from('not really') }
    const [read] = await reader()([record({ value: Buffer.from('{}'), headers })])
    expect(read).toMatchObject({ record: { decoded: { ok: true } } })
  })
})

it('the headers of a record go with it, for the case that it is refused', async () => {
  const headers = { trace: Buffer.from('1') }
  const [read] = await reader()([record({ headers })])
  expect(read).toMatchObject({ record: { headers } })
})

it('every read is looked at for where its records stand, with the partitions of their topic', async () => {
  const looked: [number, number][] = []
  const placement: Placement = {
    look: (records, partitions) => looked.push([records.length, partitions]),
    misplaced: new Map(),
  }
  await reader(placement)([record({}), record({})])
  expect(looked).toEqual([[2, 4]])
})

function record(part: Partial<FetchedRecord>): FetchedRecord {
  return { ...from, timestamp: 5, key: null, value: null, headers: {}, ...part }
}

/** Another number in the attributes, under a checksum that fits. */
function recode(bytes: Buffer, codec: number): void {
  bytes.writeInt16BE(codec, 21)
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17)
}

function lengthen(bytes: Buffer): void {
  bytes[61] = 120
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17)
}
