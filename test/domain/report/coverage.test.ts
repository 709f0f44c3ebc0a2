import { describe, expect, test } from 'vitest'
import type { ReferenceRow } from '../../../services/domain/report/profile.ts'
import { panesOf, report, weekOf, weekPanes } from './weeks.ts'
import { drawRows, monday, monitorOf, profileOf, weekMs } from './world.ts'

describe('a critical feature', () => {
  const half = weekOf(9, 'nulls')
  const coverageOf = (reference: ReferenceRow[], rows: readonly ReferenceRow[]) => {
    const known = profileOf(reference)
    const task = report([weekPanes(rows)], monitorOf(known))
    const skill = task.coverage().find(({ feature, segment }) => feature === 'skill' && segment === '')!
    const pages = task.alerts().filter(({ severity }) => severity === 'page')
    return { ...skill, paged: pages.some(({ alertKey }) => alertKey === 'late@1/coverage/skill') }
  }

  test('that was missing as often in training is no fault', () => {
    const skill = coverageOf(drawRows(1, 6000, 'nulls'), half)
    expect(skill).toMatchObject({ breached: false, paged: false })
    expect(skill.baseline).toBeCloseTo(0.5, 1)
    expect(skill.atLeast).toBeCloseTo(0.95 * skill.baseline!, 12)
  })

  test('that is missing more often than in training is one', () => {
    const more = half.map((row, i) =>
      i % 5 === 0 ? { ...row, values: { ...row.values, skill: null }, statuses: { skill: 'missing' } } : row,
    ) as ReferenceRow[]
    expect(coverageOf(drawRows(1, 6000, 'nulls'), more)).toMatchObject({ breached: true, paged: true })
  })

  test('of which the reference has too few rows asks for nothing', () => {
    const skill = coverageOf(drawRows(1, 99), half)
    expect(skill).toMatchObject({ baseline: null, atLeast: null, breached: false })
  })

  test('pages nobody in the week in which the stream began', () => {
    const begun = weekPanes(half).filter(({ start }) => start >= monday + weekMs / 2)
    const first = report([begun])
    expect(first.coverage().some(({ breached }) => breached)).toBe(true)
    expect(first.alerts().map(({ alertKey }) => alertKey)).not.toContain('late@1/coverage/skill')
    const second = report([begun, weekPanes(half, 1)]).alerts()
    expect(second.map(({ alertKey, window }) => [alertKey, window.start])).toContainEqual([
      'late@1/coverage/skill',
      monday + weekMs,
    ])
  })
})

describe('sources', () => {
  const late = { topic: 'departures', stage: 'ingest', reason: 'late', watermarkAt: monday + 5 }
  const letter = {
    topic: 'landings',
    stage: 'ingest',
    reason: 'contract',
    timestamp: 0,
    watermark: monday + 5,
  }

  test('have the share that was set aside, each record once though two stages met it', () => {
    const aside = [
      ...panesOf([late, late], 'late'),
      ...panesOf([letter, letter, letter, { ...letter, stage: 'label' }], 'dead-letters'),
    ]
    const task = report([[...weekPanes(weekOf(7)), ...aside]])
    const shares = (topic: string) =>
      task
        .coverage()
        .find(({ segment }) => segment === `source=${topic}`)!
        .shares.map(({ of, k, n }) => [of, k, n])
    expect(shares('departures')).toEqual([
      ['late', 2, 1502],
      ['deadLetter', 0, 1502],
    ])
    expect(shares('landings')).toEqual([
      ['late', 0, 1503],
      ['deadLetter', 3, 1503],
      ['deadLetter:contract', 3, 1503],
    ])
  })

  test('of unknown size have a share of which nothing is known', () => {
    const task = report([panesOf([{ ...late, topic: 'weather' }], 'late')])
    const weather = task.coverage().find(({ segment }) => segment === 'source=weather')!
    expect(weather.shares[0]).toEqual({ of: 'late', k: 1, n: 0, lo: 0, hi: 1 })
  })
})
