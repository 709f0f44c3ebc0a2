import { describe, expect, it } from 'vitest'
import { createSchemaCache, type StoredSchema } from '../../../services/runtime/codec/schema-cache.ts'

function fixture(
  isKnown: (id: number) => boolean,
  options: { maxUnknown?: number; concurrency?: number } = {},
) {
  const asked: number[] = []
  const clock = { ms: 0 }
  let atATime = 0
  const seen = { atATime: 0 }
  const cache = createSchemaCache(
    async (id): Promise<StoredSchema> => {
      asked.push(id)
      atATime += 1
      seen.atATime = Math.max(seen.atATime, atATime)
      await Promise.resolve()
      atATime -= 1
      return isKnown(id) ? { known: true, schema: id } : { known: false, detail: `${id}` }
    },
    { ...options, unknownMs: 100, now: () => clock.ms },
  )
  return { cache, asked, clock, seen }
}

describe('the schema cache', () => {
  it('asks once for a known id, for ever', async () => {
    const { cache, asked, clock } = fixture(() => true)
    await cache.schemas([1, 1, 2])
    clock.ms = 1e9
    const found = await cache.schemas([1, 2])
    expect(asked).toEqual([1, 2])
    expect(found.get(1)).toBe(cache.get(1))
  })

  it('believes for a while that an unknown id is unknown, then asks again', async () => {
    let registered = false
    const { cache, asked, clock } = fixture(() => registered)
    await cache.schemas([1])
    registered = true
    clock.ms = 99
    expect((await cache.schemas([1])).get(1)?.known).toBe(false)
    clock.ms = 100
    expect((await cache.schemas([1])).get(1)?.known).toBe(true)
    expect(asked).toEqual([1, 1])
  })

  it('remembers only so many unknown ids, and still answers every id of a batch', async () => {
    const { cache, asked } = fixture(() => false, { maxUnknown: 3 })
    const found = await cache.schemas([1, 2, 3, 4, 5])
    expect([...found.keys()].toSorted()).toEqual([1, 2, 3, 4, 5])
    await cache.schemas([5, 4, 3])
    expect(asked).toEqual([1, 2, 3, 4, 5])
    await cache.schemas([1])
    expect(asked).toEqual([1, 2, 3, 4, 5, 1])
  })

  it('asks once for an id that several batches want at the same time', async () => {
    const { cache, asked } = fixture(() => true)
    await Promise.all([cache.schemas([1]), cache.schemas([1])])
    expect(asked).toEqual([1])
  })

  it('has only so many questions on the way', async () => {
    const { cache, seen } = fixture(() => true, { concurrency: 2 })
    await cache.schemas([1, 2, 3, 4, 5])
    expect(seen.atATime).toBe(2)
  })

  it('remembers nothing of an outage', async () => {
    let away = true
    const cache = createSchemaCache(async () => {
      if (away) throw new Error('away')
      return { known: true, schema: 1 }
    })
    await expect(cache.schemas([1])).rejects.toThrow('away')
    away = false
    expect((await cache.schemas([1])).get(1)).toEqual({ known: true, schema: 1 })
  })
})
