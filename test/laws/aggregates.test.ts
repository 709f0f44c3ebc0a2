import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AnyAggregate, addValue } from '../../services/domain/aggregate/aggregate.ts'
import { aggregateNames, aggregateOf } from '../../services/domain/aggregate/table.ts'
import type { Value } from '../../services/domain/event/contract.ts'
import type { Data } from '../../services/domain/operator.ts'
import { exactSum } from '../oracle/exact-sum.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const settings = { seed, numRuns: 1_000 }
console.log(`laws/aggregates seed ${seed}`)

const numbers = fc.oneof(
  fc.integer({ min: -50, max: 50 }),
  fc.double({ noNaN: true, min: -1e12, max: 1e12 }),
  fc.constantFrom(1e15, -1e15, 0.1, 1e-9),
)
const inputs: Record<AnyAggregate['over'], fc.Arbitrary<Value>> = {
  number: fc.option(numbers),
  boolean: fc.option(fc.boolean()),
  any: fc.option(fc.oneof(fc.string(), fc.boolean(), numbers)),
}

describe.each(aggregateNames)('%s', (name) => {
  const aggregate = aggregateOf(name)
  const stretch = fc.array(inputs[aggregate.over], { maxLength: 40, size: 'max' })

  test('merging the states of two stretches is one pass over both', () => {
    fc.assert(
      fc.property(stretch, stretch, (earlier, later) => {
        const merged = aggregate.merge(stateOf(aggregate, earlier), stateOf(aggregate, later))
        expectSame(aggregate, merged, stateOf(aggregate, [...earlier, ...later]), [...earlier, ...later])
      }),
      settings,
    )
  })

  test('merge is associative', () => {
    fc.assert(
      fc.property(stretch, stretch, stretch, (first, second, third) => {
        const [a, b, c] = [first, second, third].map((values) => stateOf(aggregate, values)) as [
          Data,
          Data,
          Data,
        ]
        const left = aggregate.merge(aggregate.merge(a, b), c)
        const right = aggregate.merge(a, aggregate.merge(b, c))
        expectSame(aggregate, left, right, [...first, ...second, ...third])
      }),
      settings,
    )
  })

  test('zero changes nothing, on either side', () => {
    fc.assert(
      fc.property(stretch, (values) => {
        const state = stateOf(aggregate, values)
        expect(aggregate.merge(aggregate.zero, state)).toEqual(state)
        expect(aggregate.merge(state, aggregate.zero)).toEqual(state)
      }),
      settings,
    )
  })

  test('its state survives being written as text', () => {
    fc.assert(
      fc.property(stretch, stretch, (before, after) => {
        const state = stateOf(aggregate, before.map(withoutMinusZero))
        const restored = JSON.parse(JSON.stringify(state)) as Data
        expect(stateOf(aggregate, after, restored)).toEqual(stateOf(aggregate, after, state))
      }),
      settings,
    )
  })

  test('null leaves it as it is', () => {
    expect(stateOf(aggregate, [null, null])).toEqual(aggregate.zero)
  })
})

test('of nothing, counts and sums are 0 and everything else is null', () => {
  const results = aggregateNames.map((name) => [name, aggregateOf(name).result(aggregateOf(name).zero)])
  const nulls = { last: null, max: null, mean: null, min: null, share: null }
  expect(Object.fromEntries(results)).toEqual({ count: 0, sum: 0, ...nulls })
})

test('a sum equals the exact one to 1e-12 relative, also where nearly everything cancels', () => {
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 60, size: 'max' }), numbers, (values, rest) => {
      const cancelling = [...values, rest, ...values.map((value) => -value).reverse()]
      for (const terms of [values, cancelling]) expectClose(sumOf(terms), exactSum(terms), terms)
    }),
    settings,
  )
})

test('a million small terms do not wash out, nor do they grow an error', () => {
  const terms = Array.from({ length: 1_000_000 }, (_, index) => (index === 0 ? 1e16 : 0.1))
  expectClose(sumOf(terms), 1e16 + 99_999.9, terms)
  expectClose(sumOf(terms.slice(1)), 99_999.9, [])
})

test('a value of another type than the aggregate takes is a broken invariant', () => {
  expect(() => addValue(aggregateOf('mean'), aggregateOf('mean').zero, '7')).toThrow('over number')
})

test('an unknown aggregate is named', () => {
  expect(() => aggregateOf('toString' as 'sum')).toThrow('no aggregate is called "toString"')
})

function stateOf(aggregate: AnyAggregate, values: readonly Value[], from = aggregate.zero): Data {
  return values.reduce((state: Data, value) => addValue(aggregate, state, value), from)
}

function sumOf(values: readonly number[]): number {
  const sum = aggregateOf('sum')
  return sum.result(stateOf(sum, values)) as number
}

/** Counts, extremes and the last value are the same; what sums doubles is as close as {@link expectClose} says. */
function expectSame(aggregate: AnyAggregate, left: Data, right: Data, values: readonly Value[]): void {
  const [one, other] = [aggregate.result(left), aggregate.result(right)]
  const isMean = aggregate === aggregateOf('mean')
  if (one === null || other === null || (!isMean && aggregate !== aggregateOf('sum'))) {
    expect(one).toBe(other)
    return
  }
  const terms = values.filter((value) => typeof value === 'number')
  const exact = exactSum(terms) / (isMean ? terms.length : 1)
  expectClose(one as number, exact, terms)
  expectClose(other as number, exact, terms)
}

/**
 * 1e-12 relative. Where terms cancel down to the last bits, the bound of compensated summation is wider: the square
 * of n roundings, relative to the sum of the sizes (N. Higham, Accuracy and Stability, 2002, §4.3).
 */
function expectClose(value: number, expected: number, terms: readonly number[]): void {
  const sizes = terms.reduce((total, term) => total + Math.abs(term), 0)
  const bound = 1e-12 * Math.abs(expected) + (terms.length * 2 ** -52) ** 2 * sizes
  if (!(Math.abs(value - expected) <= bound)) throw new Error(`${value} is not ${expected}`)
}

function withoutMinusZero(value: Value): Value {
  return value === 0 ? 0 : value
}
