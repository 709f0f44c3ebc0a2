import fc from 'fast-check'
import { expect, it } from 'vitest'
import { labelEntry, predictionEntry } from '../../services/domain/outcome/entry.ts'
import type { JoinRules } from '../../services/domain/outcome/meeting.ts'
import { type JournalLine, keyedOutcomes, naiveOutcomes } from './outcomes.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`oracle/outcomes seed ${seed}`)

const rules: JoinRules = { horizonMs: 100, correctionMs: 50, absence: 'unknown' }
const nothing = { predictionId: '', model: 'm', modelVersion: 1, score: 0, decision: false, scoreCell: 0 }

/** Time moves with every line, for only then the two agree on a timer that is set when its time has passed. */
const journal = fc
  .array(
    fc.record({
      isLabel: fc.boolean(),
      id: fc.constantFrom('a', 'b', 'c'),
      behindMs: fc.integer({ min: -40, max: 260 }),
      stepMs: fc.integer({ min: 1, max: 60 }),
      value: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((lines) => {
    let watermark = 0
    return lines.map(({ isLabel, id, behindMs, stepMs, value }): JournalLine => {
      watermark += stepMs
      const time = watermark - behindMs
      const entry = isLabel
        ? labelEntry(id, time, value, 'labels')
        : predictionEntry(id, time, { ...nothing, segments: {} })
      return { entry, watermark }
    })
  })

it('joins a journal by its keys as it does line by line', () => {
  fc.assert(
    fc.property(journal, (lines) => {
      expect(keyedOutcomes(rules, lines)).toEqual(naiveOutcomes(rules, lines))
    }),
    { seed, numRuns: 500 },
  )
})
