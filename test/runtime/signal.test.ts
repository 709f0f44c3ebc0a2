import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createSignal } from '../../services/runtime/signal.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('wakes everybody who waits, once, and leaves no timer behind', async () => {
  const signal = createSignal()
  const woken: string[] = []
  const all = ['a', 'b'].map((name) => signal.wait(1_000).then(() => woken.push(name)))
  signal.raise()
  await Promise.all(all)
  expect(woken).toEqual(['a', 'b'])
  expect(vi.getTimerCount()).toBe(0)
})

it('lets go who has waited long enough, and only them', async () => {
  const signal = createSignal()
  const woken: string[] = []
  const short = signal.wait(10).then(() => woken.push('short'))
  const long = signal.wait(20).then(() => woken.push('long'))
  vi.advanceTimersByTime(10)
  await short
  expect(woken).toEqual(['short'])
  signal.raise()
  await long
  expect(woken).toEqual(['short', 'long'])
})

it('does not remember: who comes after a raise waits for the next', async () => {
  const signal = createSignal()
  signal.raise()
  let isWoken = false
  const waiting = signal.wait(1_000).then(() => {
    isWoken = true
  })
  await Promise.resolve()
  expect(isWoken).toBe(false)
  signal.raise()
  await waiting
})
