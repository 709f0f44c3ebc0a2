import { quantileSorted } from 'simple-statistics'
import { describe, expect, test } from 'vitest'
import {
  cellCount,
  cellIn,
  cellName,
  type FeatureFrame,
  guardCells,
  guardIndex,
} from '../../../services/domain/report/cell.ts'
import { quantileEdges } from '../../../services/domain/report/quantile-edges.ts'
import { gaussian, seeded } from './random.ts'

const numeric: FeatureFrame = { kind: 'numeric', edges: [0, 10, 20, 20] }
const words: FeatureFrame = { kind: 'categorical', vocabulary: ['a', 'toString', 'true'] }

describe('a value is counted in', () => {
  test.each([
    [0, 0],
    [9.99, 0],
    [10, 1],
    [19.99, 1],
    [20, 2],
  ])('bin %2$s when it is %1$s', (value, bin) => {
    expect(cellIn(numeric, value, 'value')).toBe(bin)
  })

  test.each([
    [-0.01, 'value', 'below'],
    [20.01, 'value', 'above'],
    [null, 'value', 'null'],
    [Number.NaN, 'value', 'nan'],
    [Number.POSITIVE_INFINITY, 'value', 'nan'],
    ['7', 'value', 'invalid'],
    [5, 'default', 'default'],
    [null, 'missing', 'null'],
    [null, 'invalid', 'invalid'],
    [5, 'stale', 'stale'],
    [5, 'warming', 'warming'],
    [5, 'approximate', 'approximate'],
    [5, 'toString', 'invalid'],
  ] as const)('%s with status %s: the guard cell %s', (value, status, guard) => {
    expect(cellIn(numeric, value, status as 'value')).toBe(guardIndex(numeric, guard))
  })

  test('its word, or unknown; a boolean by its name', () => {
    expect(cellIn(words, 'toString', 'value')).toBe(1)
    expect(cellIn(words, true, 'value')).toBe(2)
    expect(cellIn(words, 'constructor', 'value')).toBe(guardIndex(words, 'unknown'))
  })
})

test('cells have names for people', () => {
  expect(cellName(numeric, 0)).toBe('[0, 10)')
  expect(cellName(numeric, 2)).toBe('[20, 20]')
  expect(cellName(words, 0)).toBe('= a')
  expect(cellName(words, guardIndex(words, 'unknown'))).toBe('unknown')
  expect(cellCount(words)).toBe(3 + guardCells.length)
})

describe('quantile edges', () => {
  test('hold equal shares of a smooth reference and lie at its quantiles (simple-statistics)', () => {
    const random = seeded(3)
    const sorted = Float64Array.from({ length: 5000 }, () => gaussian(random)).sort()
    const edges = quantileEdges(sorted, 10)
    expect(edges).toHaveLength(11)
    const quantiles = Array.from({ length: 11 }, (_, k) => quantileSorted([...sorted], k / 10))
    edges.forEach((edge, k) => {
      expect(Math.abs(edge - quantiles[k]!)).toBeLessThan(0.02)
    })
  })

  test('give an atom a bin of its own and never split equal values', () => {
    const sorted = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    expect(quantileEdges(sorted, 4)).toEqual([0, 1, 4, 6])
    expect(quantileEdges([0, 9, 9, 9, 9, 9, 9, 10, 11, 12], 3)).toEqual([0, 9, 10, 12])
    expect(quantileEdges([0, 1, 2, 3, 4, 5, 9, 9, 9, 9, 9, 9], 4)).toEqual([0, 3, 9, 9])
  })

  test('of one value are that value twice, of none nothing', () => {
    expect(quantileEdges([7, 7, 7], 10)).toEqual([7, 7])
    expect(quantileEdges([], 10)).toEqual([])
    const empty: FeatureFrame = { kind: 'numeric', edges: [] }
    expect(cellIn(empty, 1, 'value')).toBe(guardIndex(empty, 'above'))
  })

  test('keep every row of the reference inside the bins', () => {
    const random = seeded(5)
    for (let round = 0; round < 200; round++) {
      const size = 1 + Math.floor(random() * 60)
      const sorted = Float64Array.from({ length: size }, () => Math.floor(random() * 12)).sort()
      const edges = quantileEdges(sorted, 1 + Math.floor(random() * 12))
      const frame: FeatureFrame = { kind: 'numeric', edges }
      for (const value of sorted) expect(cellIn(frame, value, 'value')).toBeLessThan(edges.length - 1)
      for (let k = 1; k < edges.length - 1; k++) expect(edges[k]!).toBeGreaterThan(edges[k - 1]!)
    }
  })
})
