import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beforeTime, endOfTime, type Wake } from '../../services/domain/operator.ts'
import { createWakes, parseWakeKey, type Wakes, wakeKey, wakePrefix } from '../../services/runtime/wakes.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`runtime/wakes seed ${seed}`)

const wake = fc.record({
  at: fc.oneof(fc.integer({ min: -20, max: 20 }), fc.constantFrom(beforeTime, endOfTime)),
  key: fc.oneof(fc.constantFrom('', 'a', 'b', 'a/b', '/'), fc.string({ unit: 'binary', maxLength: 4 })),
})

const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), wake }),
  fc.record({ do: fc.constant('due' as const), watermark: wake.map(({ at }) => at) }),
  fc.record({ do: fc.constant('restart' as const) }),
)

/** A list that is sorted anew each time: obvious and slow. */
function naiveWakes() {
  let list: Wake[] = []
  const inOrder = () => list.sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return {
    add(added: Wake): boolean {
      if (list.some(({ at, key }) => at === added.at && key === added.key)) return false
      list = [...list, added]
      return true
    },
    due(watermark: number): Wake | undefined {
      const [first, ...rest] = inOrder()
      if (first === undefined || first.at > watermark) return undefined
      list = rest
      return first
    },
    all: () => inOrder(),
  }
}

it('does what a sorted list does, across restarts too', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const naive = naiveWakes()
      let wakes = createWakes()
      for (const each of steps) {
        if (each.do === 'add') expect(wakes.add(each.wake)).toBe(naive.add(each.wake))
        else if (each.do === 'due') expect(due(wakes, each.watermark)).toEqual(naive.due(each.watermark))
        else wakes = createWakes(naive.all().map(wakeKey).reverse())
        expect(wakes.size).toBe(naive.all().length)
      }
    }),
    { seed, numRuns: 500 },
  )
})

describe('the state key of a wake', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(wake, (each) => {
        expect(wakeKey(each).startsWith(wakePrefix)).toBe(true)
        expect(parseWakeKey(wakeKey(each))).toEqual(each)
      }),
      { seed },
    )
  })

  it('sorts as text by time, from before any event to after all', () => {
    const times = [beforeTime, -1_000_000_000_000, -10, -9, 0, 9, 10, 981_331_200_000, endOfTime]
    const keys = times.map((at) => wakeKey({ at, key: 'k' }))
    expect(keys.toSorted()).toEqual(keys)
  })
})

it('hands out nothing before its time', () => {
  const wakes = createWakes()
  wakes.add({ at: 10, key: 'a' })
  expect(due(wakes, 9)).toBeUndefined()
  expect(due(wakes, 10)).toEqual({ at: 10, key: 'a' })
  expect(due(wakes, endOfTime)).toBeUndefined()
})

it('takes a wake again once it has fired', () => {
  const wakes = createWakes()
  expect([wakes.add({ at: 1, key: 'a' }), wakes.add({ at: 1, key: 'a' })]).toEqual([true, false])
  due(wakes, 1)
  expect(wakes.add({ at: 1, key: 'a' })).toBe(true)
})

/** The earliest wake that is due, removed. */
function due(wakes: Wakes, watermark: number): Wake | undefined {
  const wake = wakes.peek(watermark)
  if (wake !== undefined) wakes.drop()
  return wake
}
