import fc from 'fast-check'
import { expect, it } from 'vitest'
import { payments } from '../domain/feature/payments.ts'
import { exactSum, roundedSum } from './exact-sum.ts'
import { type JournalLine, naiveFeatures } from './features.ts'
import { windowReader } from './windowed-features.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const numRuns = Number(process.env['RUNS'] ?? 60)
console.log(`oracle/windowed-features seed ${seed}`)

const aggregates = Object.values(payments.features).flatMap((feature) =>
  feature.kind === 'aggregate' ? [feature] : [],
)
const entity = aggregates[0]!.quantity.entity
const ofEntity = aggregates.filter(({ quantity }) => quantity.entity === entity)
const places = [
  ...new Set([
    ...ofEntity.map(({ quantity }) => JSON.stringify([quantity.stream, quantity.by])),
    ...ofEntity.map(({ at }) => JSON.stringify([payments.scored, at])),
  ]),
].map((place) => JSON.parse(place) as [stream: string, field: string])
const longestMs = Math.max(...ofEntity.map(({ quantity }) => quantity.window.sizeMs))

/** Times lie within three of the longest window, in any order, so that entries come before those they precede. */
const journal = fc
  .array(
    fc.record({
      place: fc.constantFrom(...places),
      key: fc.constantFrom('a', 'b'),
      time: fc.integer({ min: 0, max: 12 }).map((part) => Math.round((part * longestMs) / 4)),
      late: fc.boolean(),
      number: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      flag: fc.boolean(),
      behindMs: fc.constantFrom(0, 0, 0, 1e12),
    }),
    { maxLength: 60 },
  )
  .map((lines) => {
    return lines.map(
      ({ place: [stream, field], key, time, late, number, flag, behindMs }, at): JournalLine => {
        const fields = Object.entries(payments.streams[stream]!.fields)
        const values = Object.fromEntries(
          fields.map(([name, { type }]) => [
            name,
            type === 'boolean' ? flag : type === 'string' ? key : number,
          ]),
        )
        return { stream, field, key, id: `e${at}`, time, late, values, taskWatermark: time + behindMs }
      },
    )
  })

it('reads each window as the naive oracle does, whatever the order of a journal', () => {
  let compared = 0
  fc.assert(
    fc.property(journal, (lines) => {
      const read = windowReader(payments, entity)
      const readings = lines.map(read)
      const own = lines.map(({ id, time, late, field }) => {
        const parts = ['own', field]
        return { id, part: 'own', parts, time, late, values: {}, statuses: {}, event: {} }
      })
      const naive = naiveFeatures(payments, [lines], own)
      lines.forEach(({ id, late }, at) => {
        for (const [name, { computed, isGone, isWarming }] of readings[at]!) {
          const expected = naive.get(id)!
          const value = computed ?? payments.features[name]!.default
          if (typeof value === 'number') expect(expected.values[name]).toBeCloseTo(value, 6)
          else expect(expected.values[name]).toBe(value)
          const status = expected.statuses[name]
          expect(status === 'stale').toBe(late || isGone)
          if (status === 'value' || status === 'warming') expect(status === 'warming').toBe(isWarming)
          compared += 1
        }
      })
    }),
    { seed, numRuns },
  )
  expect(compared).toBeGreaterThan(numRuns)
})

it('adds doubles as exactly as big integers do, but for the last bit', () => {
  const doubles = fc.array(fc.double({ min: -1e200, max: 1e200, noNaN: true }), { maxLength: 30 })
  fc.assert(
    fc.property(doubles, (numbers) => {
      const exact = exactSum(numbers)
      expect(Math.abs(roundedSum(numbers) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -51)
    }),
    { seed, numRuns: 1_000 },
  )
})
