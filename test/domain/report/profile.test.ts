import { expect, test } from 'vitest'
import { guardIndex } from '../../../services/domain/report/cell.ts'
import { total } from '../../../services/domain/report/cell-distance.ts'
import {
  buildProfile,
  cellOf,
  frameOf,
  type ReferenceRow,
  scoreFeature,
  segmentNames,
} from '../../../services/domain/report/profile.ts'
import { seeded, shuffled } from './random.ts'

const random = seeded(21)
const rows: ReferenceRow[] = Array.from({ length: 1200 }, (_, i) => {
  const score = random()
  return {
    values: {
      distance: 100 + 2000 * random(),
      hour: Math.floor(random() * 24),
      toString: i % 3 === 0 ? 'x' : 'y',
    },
    statuses: { distance: i % 10 === 0 ? 'warming' : 'value', hour: 'value', toString: 'value' },
    segments: { hub: i % 4 === 0 ? 'ATL' : 'other' },
    score,
    label: i % 50 === 0 ? null : random() < score,
  } as ReferenceRow
})
const options = { features: { distance: 'numeric', hour: 'numeric', toString: 'categorical' } } as const
const profile = buildProfile(rows, options)

test('every row is counted once in every feature, for all and for its segment', () => {
  for (const feature of ['distance', 'hour', 'toString', scoreFeature]) {
    expect(total(profile.counts[feature]!['']!)).toBe(1200)
    expect(total(profile.counts[feature]!['hub=ATL']!)).toBe(300)
    expect(total(profile.counts[feature]!['hub=other']!)).toBe(900)
  }
  const frame = frameOf(profile, 'distance')!
  expect(profile.counts.distance!['']!.at(guardIndex(frame, 'warming'))).toBe(120)
  expect(total(profile.labelled['']!)).toBe(1176)
})

test('the score has as many cells as rows allow, each with its positives', () => {
  expect(profile.scoreMeans.length).toBe(200)
  expect(profile.scoreMeans.every((mean, k) => k === 0 || mean > profile.scoreMeans[k - 1]!)).toBe(true)
  expect(buildProfile(rows.slice(0, 100), options).scoreMeans.length).toBe(20)
  expect(profile.baseRate).toBeCloseTo(total(profile.positives['']!) / 1176, 12)
  expect(profile.auc!.lo).toBeLessThan(profile.auc!.value)
})

test('the order of the rows does not show, not even in the last digit', () => {
  expect(JSON.stringify(buildProfile(shuffled(rows, seeded(1)), options))).toBe(JSON.stringify(profile))
})

test('a profile survives JSON, and answers for its features only', () => {
  const copy = JSON.parse(JSON.stringify(profile))
  expect(cellOf(copy, 'hour', 23)).toBe(cellOf(profile, 'hour', 23))
  expect(cellOf(copy, 'toString', 'x')).toBe(0)
  expect(cellOf(copy, 'constructor', 1)).toBeUndefined()
  expect(cellOf(copy, scoreFeature, 0.5)).toBeGreaterThan(50)
})

test('segments are named name=value after the whole stream, sorted', () => {
  expect(segmentNames({ hub: 'ATL', band: 'short' })).toEqual(['', 'band=short', 'hub=ATL'])
})

test('labels of one class leave the AUC open', () => {
  const oneClass = rows.map((row) => ({ ...row, label: true }))
  expect(buildProfile(oneClass, options).auc).toBeNull()
})
