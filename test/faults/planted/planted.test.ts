import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { invariants } from '../audit/findings.ts'
import type { Plant } from '../preload/protocol.ts'
import { bugs } from './bugs.ts'
import { isCaught, isClean, pointsFor } from './planted.ts'
import { scenarios } from './scenarios.ts'

const root = new URL('../../../', import.meta.url)

/** The source of each file with the plants in it, which must each find their text once. */
function plantedIn(plants: readonly Plant[]): Map<string, string> {
  const sources = new Map<string, string>()
  for (const { file, find, replace } of plants) {
    const source = sources.get(file) ?? readFileSync(new URL(`.${file}`, root), 'utf8')
    const parts = source.split(find)
    expect(parts.length - 1, `${file}: ${find}`).toBe(1)
    sources.set(file, parts.join(replace))
  }
  return sources
}

describe('the planted bugs', () => {
  it.each(bugs.map((bug) => [bug.name, bug] as const))(
    '%s finds its text in the sources of today',
    (_, bug) => {
      const sources = plantedIn([...pointsFor(bug), ...bug.plants])
      for (const [file, source] of sources)
        expect(source, file).not.toBe(readFileSync(new URL(`.${file}`, root), 'utf8'))
    },
  )

  it.each(Object.entries(scenarios))(
    'the points of %s find their text in the sources of today',
    (_, scenario) => {
      plantedIn(scenario.points ?? [])
    },
  )

  it('are at least fourteen, of different names, the known holes of kafkajs among them', () => {
    const names = bugs.map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(14)
    expect(new Set(names).size).toBe(names.length)
    for (const hole of ['K1', 'K2', 'K3', 'K4', 'K5', 'K6', 'K7', 'K15'])
      expect(names.filter((name) => name.startsWith(`${hole}-`))).toHaveLength(1)
  })

  it('name every invariant of the auditor between them', () => {
    expect(new Set(bugs.map(({ invariant }) => invariant))).toEqual(new Set(invariants))
  })
})

describe('the verdict on a run', () => {
  const nothing = { lost: 0, duplicated: 0, torn: 0, abortedRead: 0, wrongValues: 0 }
  const audited = { ...nothing, records: 9, inputs: 5, abortedRecords: 0, details: [] }
  const some = { ...audited, lost: 3 }

  it('is caught only by the count that the bug names', () => {
    expect(isCaught({ audited: some, failures: [] }, 'lost')).toBe(true)
    expect(isCaught({ audited: some, failures: [] }, 'torn')).toBe(false)
  })

  it('is not caught when a process ended by itself or a task never ended, whatever was counted', () => {
    expect(isCaught({ audited: some, failures: ['never ended: a task'] }, 'lost')).toBe(false)
    expect(isCaught({ audited: undefined, failures: ['the audit failed'] }, 'lost')).toBe(false)
  })

  it('is clean only when nothing at all was found', () => {
    expect(isClean({ audited, failures: [] })).toBe(true)
    expect(isClean({ audited: some, failures: [] })).toBe(false)
    expect(isClean({ audited, failures: ['a process ended by itself'] })).toBe(false)
    expect(isClean({ audited: undefined, failures: [] })).toBe(false)
  })
})
