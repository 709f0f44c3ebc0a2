import { describe, expect, it } from 'vitest'
import { murmur2, partitionOf } from '../../../services/runtime/kafka/partition.ts'

describe('the partitioner', () => {
  // From UtilsTest.testMurmur2 of Apache Kafka.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash)
  })

  it('keeps every partition within the count, also for negative hashes', () => {
    const counts = new Array(7).fill(0)
    for (let key = 0; key < 7000; key += 1) counts[partitionOf(Buffer.from(`key-${key}`), 7)] += 1
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(counts.length).toBe(7)
  })
})
