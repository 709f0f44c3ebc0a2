import { expect, it } from 'vitest'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import { partitionOf } from '../../services/runtime/kafka/partition.ts'
import { type Misplaced, watchPlacement } from '../../services/runtime/placement.ts'

const hourMs = 3_600_000
const keys = Array.from({ length: 100 }, (_, at) => `key-${at}`)

function record(key: string | null, partition: number, topic = 'events'): FetchedRecord {
  const bytes = key === null ? null : Buffer.from(key)
  return { topic, partition, offset: 7, timestamp: 0, key: bytes, value: null, headers: {} }
}

function watch() {
  const warned: Misplaced[] = []
  const clock = { ms: 0 }
  const placement = watchPlacement(
    (found) => warned.push(found),
    () => clock.ms,
  )
  return { placement, warned, clock }
}

it('says nothing of records that stand where their key hashes to, nor of those without a key', () => {
  const { placement, warned } = watch()
  placement.look(
    keys.map((key) => record(key, partitionOf(Buffer.from(key), 4))),
    4,
  )
  placement.look([record(null, 3)], 4)
  expect([warned, placement.misplaced.size]).toEqual([[], 0])
})

it('says nothing where there is only one partition', () => {
  const { placement, warned } = watch()
  placement.look([record('a', 0)], 1)
  expect(warned).toEqual([])
})

it('counts every record that stands elsewhere, and says it once an hour and topic', () => {
  const { placement, warned, clock } = watch()
  const wrong = keys.map((key) => record(key, (partitionOf(Buffer.from(key), 4) + 1) % 4))
  placement.look(wrong, 4)
  placement.look(
    wrong.map((each) => ({ ...each, topic: 'others' })),
    4,
  )
  expect(warned.map(({ topic, misplaced }) => [topic, misplaced])).toEqual([
    ['events', 1],
    ['others', 1],
  ])
  clock.ms = hourMs - 1
  placement.look(wrong, 4)
  expect(warned).toHaveLength(2)
  clock.ms = hourMs
  placement.look(wrong, 4)
  expect(warned.slice(2)).toMatchObject([{ topic: 'events', misplaced: 201 }])
  expect([...placement.misplaced]).toEqual([
    ['events', 300],
    ['others', 100],
  ])
})

it('names coordinates, and never the key', () => {
  const { placement, warned } = watch()
  placement.look([record('secret', (partitionOf(Buffer.from('secret'), 4) + 1) % 4)], 4)
  expect(JSON.stringify(warned)).not.toContain('secret')
})
