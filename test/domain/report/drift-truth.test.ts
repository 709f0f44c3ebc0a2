import { describe, expect, test } from 'vitest'
import { cellIn } from '../../../services/domain/report/cell.ts'
import { driftReports, flagsDrift } from '../../../services/domain/report/drift.ts'
import { frameOf, scoreFeature } from '../../../services/domain/report/profile.ts'
import type { MonitorDefinition } from '../../../services/domain/report/report.ts'
import { gaussian, seeded } from './random.ts'
import { type Change, drawRows, monday, monitorOf, profileOf, weekMs } from './world.ts'

const profile = profileOf(drawRows(100, 6000))
const monitor = monitorOf(profile)

/** The drift reports of one window of freshly drawn rows. */
const windowOf = (seed: number, n: number, change: Change, definition: MonitorDefinition) => {
  const rows = drawRows(seed, n, change)
  const counts = new Map(
    [...Object.keys(profile.features), scoreFeature].map((feature) => {
      const frame = frameOf(profile, feature)!
      const cells = new Array<number>(300).fill(0)
      for (const row of rows) {
        const value = feature === scoreFeature ? row.score : (row.values[feature] ?? null)
        cells[cellIn(frame, value, row.statuses[feature] ?? 'value')]! += 1
      }
      return [feature, cells]
    }),
  )
  const occasion = { definition, start: monday, end: monday + weekMs, revision: 0, whole: true }
  return driftReports(occasion, definition.models[0]!, '', counts)
}

const timeout = 60_000

describe.each([
  [200, 200],
  [1000, 200],
  [5000, 80],
])('with %i rows and no drift', (n, rounds) => {
  test(
    `p-values below 0.05 are near 5 % for each feature: seeds from ${n}`,
    () => {
      const below = new Map<string, number>()
      for (let i = 0; i < rounds; i++) {
        for (const { feature, pValue } of windowOf(n + 7919 * i, n, 'none', monitor)) {
          below.set(feature, (below.get(feature) ?? 0) + Number(pValue! < 0.05))
        }
      }
      // One reference is shared by all rounds, so the rate of a feature may stray from 5 %; the bound is 12 %.
      for (const [feature, count] of below) expect(count / rounds, feature).toBeLessThan(0.12)
      const mean = [...below.values()].reduce((a, b) => a + b, 0) / below.size / rounds
      expect(mean).toBeLessThan(0.08)
      if (n < 5000) expect(mean).toBeGreaterThan(0.02)
    },
    timeout,
  )

  test(
    `no window of ${rounds} is flagged, and hardly a distance is material: seeds from ${31 + n}`,
    () => {
      let flagged = 0
      let material = 0
      for (let i = 0; i < rounds; i++) {
        const reports = windowOf(31 + n + 104_729 * i, n, 'none', monitor)
        flagged += Number(reports.some(flagsDrift))
        material += reports.filter((report) => report.material).length / reports.length
      }
      expect(flagged).toBe(0)
      expect(material / rounds).toBeLessThan(0.01)
    },
    timeout,
  )

  test(
    'a real shift is seen in every window of 20, in the input and in the score',
    () => {
      for (let i = 0; i < 20; i++) {
        const flagged = windowOf(5 + n + i, n, 'shift', monitor).filter(flagsDrift)
        expect(flagged.map(({ feature }) => feature)).toEqual(['skill', '__score__'])
      }
    },
    timeout,
  )
})

test('a shift in a window that is not whole flags nothing', () => {
  const rows = drawRows(3, 2000, 'shift')
  const cells = new Array<number>(30).fill(0)
  for (const row of rows) cells[cellIn(frameOf(profile, 'skill')!, row.values.skill!, 'value')]! += 1
  const occasion = { definition: monitor, start: monday, end: monday + weekMs, revision: 0, whole: false }
  const reports = driftReports(occasion, monitor.models[0]!, '', new Map([['skill', cells]]))
  expect(reports.find(({ feature }) => feature === 'skill')).toMatchObject({
    status: 'invalid',
    material: true,
  })
  expect(reports.filter(flagsDrift)).toEqual([])
})

test('a vanishing shift is significant in 200,000 rows and yet not flagged', () => {
  const random = seeded(17)
  const frame = frameOf(profile, 'skill')!
  const cells = new Array<number>(30).fill(0)
  for (let i = 0; i < 200_000; i++) cells[cellIn(frame, gaussian(random) + 0.1, 'value')]! += 1
  const occasion = { definition: monitor, start: monday, end: monday + weekMs, revision: 0, whole: true }
  const [skill] = driftReports(occasion, monitor.models[0]!, '', new Map([['skill', cells]])).filter(
    ({ feature }) => feature === 'skill',
  )
  expect(skill).toMatchObject({ significant: true, material: false })
})

test('rows that warm up, come late or take a default move no distance: coverage tells of them', () => {
  const frame = frameOf(profile, 'skill')!
  const cells = [...profile.counts.skill!['']!]
  const before = windowWith(cells)
  for (const status of ['warming', 'stale', 'default', 'approximate'] as const)
    cells[cellIn(frame, 0, status)]! += 3000
  expect(windowWith(cells)).toEqual(before)
})

const windowWith = (cells: readonly number[]) => {
  const occasion = { definition: monitor, start: monday, end: monday + weekMs, revision: 0, whole: true }
  return driftReports(occasion, monitor.models[0]!, '', new Map([['skill', cells]]))
}
