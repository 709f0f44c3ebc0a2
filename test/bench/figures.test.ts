import { describe, expect, it } from 'vitest'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import { median, percentile, rounded } from './figures.ts'
import { createMeter } from './meter.ts'
import { journalRecord, type Keys } from './records.ts'

describe('figures', () => {
  it('a percentile is a value that was measured', () => {
    const values = [40, 10, 30, 20]
    expect([0, 25, 26, 50, 75, 99, 100].map((percent) => percentile(values, percent))).toEqual([
      10, 10, 20, 20, 30, 40, 40,
    ])
    expect(values).toEqual([40, 10, 30, 20])
    expect(percentile([], 50)).toBeNaN()
  })

  it('the median of an even number of values is the lower of the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2)
    expect(median([5, 1, 3])).toBe(3)
  })

  it('numbers keep three digits', () => {
    expect([rounded(0.123456), rounded(1_234_567), rounded(0)]).toEqual([0.123, 1_230_000, 0])
  })
})

describe('the meter', () => {
  it('counts the second half by itself', () => {
    const meter = createMeter(100)
    for (let batch = 0; batch < 10; batch += 1) meter.come(10)
    const { whole, warm } = meter.end()
    expect([whole.records, warm.records]).toEqual([100, 50])
    expect(whole.cpuMicros).toBeGreaterThanOrEqual(warm.cpuMicros)
    expect(whole.wallMs).toBeGreaterThanOrEqual(warm.wallMs)
  })

  it('has no second half when everything came at once, and nothing to say when nothing came', () => {
    const meter = createMeter(10)
    meter.come(10)
    const { whole, warm } = meter.end()
    expect(warm).toEqual(whole)
    expect(() => createMeter(10).end()).toThrow('no records came')
  })
})

describe('the records of a bench', () => {
  const keys: Keys = { kind: 'hot-and-cold', count: 10_000 }
  const records = Array.from({ length: 10_000 }, (_, n) => journalRecord(n, keys))

  it('are 120 to 160 bytes long', () => {
    const codec = recordCodec('JournalEntry')
    const sizes = records.map((record) => codec.encode(record, 1).length)
    expect(Math.min(...sizes)).toBeGreaterThan(119)
    expect(Math.max(...sizes)).toBeLessThan(161)
  })

  it('have few hot keys and many cold ones', () => {
    const counts = [...Map.groupBy(records, ({ key }) => key).values()].map(({ length }) => length)
    const hot = counts.filter((count) => count > 20)
    expect(hot).toHaveLength(100)
    expect(hot.reduce((sum, count) => sum + count, 0) / records.length).toBeCloseTo(0.8, 1)
    expect(counts.length).toBeGreaterThan(1_500)
  })

  it('have each key once when they are asked to', () => {
    const each: Keys = { kind: 'each-once', count: 500 }
    expect(new Set(Array.from({ length: 500 }, (_, n) => journalRecord(n, each).key)).size).toBe(500)
  })
})
