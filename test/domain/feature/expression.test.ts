import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DefinitionError } from '../../../services/domain/definition-error.ts'
import type { Value } from '../../../services/domain/event/contract.ts'
import {
  binNames,
  compileExpression,
  type Expression,
  evaluate,
  fieldsOf,
} from '../../../services/domain/feature/expression.ts'

const x: Expression = { op: 'field', name: 'x' }
const y: Expression = { op: 'field', name: 'y' }
const literal = (value: Value): Expression => ({ op: 'literal', value })

describe('an expression', () => {
  test.each<[Expression, Value, Value]>([
    [{ op: 'above', of: x, value: 15 }, 15, false],
    [{ op: 'above', of: x, value: 15 }, 15.1, true],
    [{ op: 'below', of: x, value: 15 }, 15, false],
    [{ op: 'atLeast', of: x, value: 15 }, 15, true],
    [{ op: 'atMost', of: x, value: 15 }, 15, true],
    [{ op: 'equals', of: x, value: 'a' }, 'a', true],
    [{ op: 'equals', of: x, value: false }, false, true],
    [{ op: 'oneOf', of: x, values: ['ATL'], other: 'other' }, 'ATL', 'ATL'],
    [{ op: 'oneOf', of: x, values: ['ATL'], other: 'other' }, 'JFK', 'other'],
    [{ op: 'bins', of: x, edges: [500, 1000] }, 499, '<500'],
    [{ op: 'bins', of: x, edges: [500, 1000] }, 500, '500..1000'],
    [{ op: 'bins', of: x, edges: [500, 1000] }, 1000, '>=1000'],
    [{ op: 'log', of: x }, 1, 0],
    [{ op: 'log', of: x }, 0, null],
    [{ op: 'log', of: x }, -1, null],
    [{ op: 'divide', left: literal(1), right: x }, 0, null],
    [{ op: 'divide', left: literal(1), right: x }, 4, 0.25],
    [{ op: 'multiply', left: x, right: x }, 1e200, null],
    [{ op: 'subtract', left: x, right: literal(1) }, 3, 2],
    [{ op: 'add', left: x, right: literal(1) }, 3, 4],
  ])('%j of %j is %j', (expression, value, expected) => {
    expect(evaluate(expression, { x: value })).toBe(expected)
  })

  test('reads own fields only, whatever they are called', () => {
    for (const name of ['constructor', 'toString', 'valueOf', '__proto__']) {
      const field: Expression = { op: 'field', name }
      expect(evaluate(field, {})).toBeNull()
      if (name !== '__proto__') expect(evaluate(field, { [name]: 3 })).toBe(3)
    }
  })

  test('names an operator that does not exist, however deep it is', () => {
    const wrong = { op: 'add', left: x, right: { op: 'median', of: x } } as unknown as Expression
    expect(() => compileExpression(wrong)).toThrow(new DefinitionError('no operator is called "median"'))
    const inherited = { op: 'toString', of: x } as unknown as Expression
    expect(() => compileExpression(inherited)).toThrow('no operator is called "toString"')
  })

  test('refuses edges that do not ascend and zones that do not exist', () => {
    for (const edges of [[], [2, 1], [1, 1], [1, Number.NaN]])
      expect(() => compileExpression({ op: 'bins', of: x, edges })).toThrow(/edges/)
    expect(() => compileExpression({ op: 'hour', of: x, zone: 'Mars/Olympus' })).toThrow(
      'no time zone is called "Mars/Olympus"',
    )
  })

  test('tells which fields it reads', () => {
    expect(fieldsOf({ op: 'above', of: { op: 'add', left: y, right: x }, value: 1 })).toEqual(['x', 'y'])
    expect(fieldsOf(literal(1))).toEqual([])
  })
})

const expressions = fc.letrec<{ expression: Expression }>((tie) => {
  const of = tie('expression')
  return {
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(x, y),
      fc.record({
        op: fc.constantFrom('above', 'below', 'atLeast', 'atMost'),
        of,
        value: fc.double({ noNaN: true }),
      }),
      fc.record({ op: fc.constantFrom('add', 'subtract', 'multiply', 'divide'), left: of, right: of }),
      fc.record({ op: fc.constantFrom('hour', 'weekday'), of, zone: fc.constant('Europe/Berlin') }),
      fc.record({ op: fc.constant('log'), of }),
      fc.record({ op: fc.constant('bins'), of, edges: fc.constant([0, 10]) }),
      fc.record({ op: fc.constant('equals'), of, value: fc.constantFrom<Value>(1, 'a', true) }),
      fc.record({ op: fc.constant('oneOf'), of, values: fc.constant(['a']), other: fc.constant('b') }),
    ) as fc.Arbitrary<Expression>,
  }
}).expression

test('over nulls alone every expression is null', () => {
  fc.assert(
    fc.property(expressions, (expression) => evaluate(expression, { x: null, y: null }) === null),
    { seed: 20010202, verbose: true },
  )
})

test('the result is never a number that is not finite, and compiled once it stays the same function of the values', () => {
  const values = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
  )
  fc.assert(
    fc.property(expressions, values, values, (expression, a, b) => {
      const compiled = compileExpression(expression)
      const result = compiled({ x: a, y: b })
      compiled({ x: b, y: a })
      return (
        (typeof result !== 'number' || Number.isFinite(result)) &&
        Object.is(compiled({ x: a, y: b }), result) &&
        Object.is(evaluate(expression, { x: a, y: b }), result)
      )
    }),
    { seed: 20010203, verbose: true, numRuns: 300 },
  )
})

test('a number falls into the one bin whose interval holds it', () => {
  const edges = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(edges, fc.double({ min: -60, max: 60, noNaN: true }), (unsorted, value) => {
      const ascending = unsorted.toSorted((a, b) => a - b)
      const bounds = [Number.NEGATIVE_INFINITY, ...ascending, Number.POSITIVE_INFINITY]
      const naive = bounds.findIndex((low, index) => low <= value && value < bounds[index + 1]!)
      return evaluate({ op: 'bins', of: x, edges: ascending }, { x: value }) === binNames(ascending)[naive]
    }),
    { seed: 20010204, verbose: true },
  )
})
