import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Data } from '../../services/domain/operator.ts'
import { createMemory } from '../../services/runtime/memory.ts'
import { memoryStore } from '../../services/runtime/store/memory.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`runtime/memory seed ${seed}`)

/** A store that counts how often it is asked. */
function countedStore() {
  const store = memoryStore()
  const counts = { gets: 0 }
  const get = (key: string) => {
    counts.gets += 1
    return store.get(key)
  }
  return { counts, store: { ...store, get } }
}

const step = fc.oneof(
  fc.record({ do: fc.constant('put' as const), key: fc.integer({ min: 0, max: 30 }), value: fc.nat() }),
  fc.record({ do: fc.constant('remove' as const), key: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ do: fc.constant('get' as const), key: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ do: fc.constant('commit' as const) }),
)

it('remembers what a map remembers, however little of it may stay in memory', async () => {
  let gets = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 200 }),
      fc.constantFrom(0, 2_000, 5_000),
      async (steps, budget) => {
        const { store, counts } = countedStore()
        const memory = createMemory(store, [], () => budget)
        const naive = new Map<string, Data>()
        for (const each of steps) {
          if (each.do === 'commit') {
            const taken = memory.take()
            const changes = [...taken].map(([key, value]): [string, Buffer | undefined] => {
              const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value))
              memory.weigh(key, bytes?.length ?? 0)
              return [key, bytes]
            })
            await store.apply(changes)
            continue
          }
          const key = `k${each.key}`
          if (each.do === 'get') expect(memory.state.get(key)).toEqual(naive.get(key))
          else if (each.do === 'remove') {
            memory.keep({ verdict: 'applied', put: [[key, undefined]] })
            naive.delete(key)
          } else {
            memory.keep({ verdict: 'applied', put: [[key, each.value]] })
            naive.set(key, each.value)
          }
        }
        for (let key = 0; key <= 30; key += 1)
          expect(memory.state.get(`k${key}`)).toEqual(naive.get(`k${key}`))
        gets += counts.gets
      },
    ),
    { seed, numRuns: 300 },
  )
  expect(gets).toBeGreaterThan(1_000)
})

it('keeps what is used, and lets go of what is not', async () => {
  const { store, counts } = countedStore()
  const value = 'x'.repeat(1_000)
  await store.apply(
    Array.from({ length: 100 }, (_, at) => [`k${at}`, Buffer.from(JSON.stringify(value))] as const),
  )
  const memory = createMemory(store, [], () => 100_000)
  for (let round = 0; round < 10; round += 1) {
    for (let at = 10 * round; at < 10 * round + 10; at += 1) {
      memory.state.get('k0')
      memory.state.get(`k${at}`)
    }
    memory.take()
  }
  expect(counts.gets).toBe(100)
  memory.state.get('k0')
  expect(counts.gets).toBe(100)
  memory.state.get('k10')
  expect(counts.gets).toBe(101)
})
