import { describe, expect, it } from 'vitest'
import { createBreaker } from '../../../services/runtime/codec/breaker.ts'

describe('the breaker', () => {
  const fixture = () => {
    const clock = { ms: 0 }
    return {
      clock,
      breaker: createBreaker({ failures: 3, openMs: 100, maxOpenMs: 400, now: () => clock.ms }),
    }
  }
  const fail = (breaker: ReturnType<typeof createBreaker>, times: number) => {
    for (let i = 0; i < times; i++) breaker.failed()
  }

  it('opens after some failures in a row, not before', () => {
    const { breaker } = fixture()
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    expect(breaker.closed).toBe(true)
    fail(breaker, 1)
    expect(breaker.closed).toBe(false)
  })

  it('lets a trial through when its time is over, and a success closes it', () => {
    const { breaker, clock } = fixture()
    fail(breaker, 3)
    clock.ms = 99
    expect(breaker.closed).toBe(false)
    clock.ms = 100
    expect(breaker.closed).toBe(true)
    breaker.succeeded()
    fail(breaker, 2)
    expect(breaker.closed).toBe(true)
  })

  it('stays open twice as long after each failed trial, up to a limit', () => {
    const { breaker, clock } = fixture()
    fail(breaker, 3)
    const openMs: number[] = []
    for (let trial = 0; trial < 4; trial++) {
      const from = clock.ms
      while (!breaker.closed) clock.ms += 1
      openMs.push(clock.ms - from)
      breaker.failed()
    }
    expect(openMs).toEqual([100, 200, 400, 400])
  })

  it('is not held open by calls that were already out', () => {
    const { breaker, clock } = fixture()
    fail(breaker, 10)
    clock.ms = 100
    expect(breaker.closed).toBe(true)
  })
})
