import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDraft } from '../../../services/domain/draft.ts'
import type { Data } from '../../../services/domain/operator.ts'
import { type Entry, entriesWithin, expire, insert } from '../../../services/domain/window/log.ts'
import { trailing } from '../../../services/domain/window/trailing.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`log.test seed ${seed}`)

const log = { key: 'log', retentionMs: 50 }

test('a trailing window leaves out what lies at its beginning and takes in what lies at its end', () => {
  const entries: Entry[] = [[9], [10], [11], [20]]
  expect(trailing(entries, 20, 10)).toEqual([[11], [20]])
})

test('entries in any order come out as a stable sort by time gives them', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 200, size: 'max' }), (times) => {
      const kept = keeper()
      const entries = times.map((time, arrival): Entry => [time, arrival])
      for (const entry of entries) kept.turn((draft) => insert(draft, log, entry))
      const sorted = entries.toSorted(([left], [right]) => left - right)
      expect(kept.turn((draft) => entriesWithin(draft, log, -1, 30))).toEqual(sorted)
      const within = sorted.filter(([time]) => time > 10 && time <= 20)
      expect(kept.turn((draft) => entriesWithin(draft, log, 10, 20))).toEqual(within)
    }),
    { seed, numRuns: 300 },
  )
})

test('what has not expired stays, and an empty log leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 300 }), { maxLength: 200, size: 'max' }), (times) => {
      const kept = keeper()
      for (const time of times) kept.turn((draft) => insert(draft, log, [time]))
      for (const watermark of [70, 100, 220]) {
        kept.turn((draft) => expire(draft, log, watermark))
        const live = times.filter((time) => time > watermark - 50).toSorted((left, right) => left - right)
        const found = kept.turn((draft) => entriesWithin(draft, log, watermark - 50, 300))
        expect(found.map(([time]) => time)).toEqual(live)
      }
      kept.turn((draft) => expire(draft, log, 350))
      expect([...kept.state.keys()]).toEqual([])
    }),
    { seed, numRuns: 300 },
  )
})

test('there is always a wake for a log that holds something', () => {
  const kept = keeper()
  kept.turn((draft) => insert(draft, log, [10]))
  expect(kept.wakes).toEqual([{ at: 60, key: 'log' }])
  kept.turn((draft) => insert(draft, log, [25]))
  kept.turn((draft) => expire(draft, log, 60))
  expect(kept.wakes.at(-1)).toEqual({ at: 75, key: 'log' })
  kept.turn((draft) => expire(draft, log, 75))
  expect(kept.state.size).toBe(0)
})

test('a new entry writes one chunk, however long the log is', () => {
  const kept = keeper()
  for (let time = 0; time < 2_000; time++) {
    kept.turn((draft) => insert(draft, { ...log, retentionMs: 10_000 }, [time, 123.456]))
    expect(kept.written).toBeLessThan(900)
  }
})

/** The state behind drafts, the wakes that they asked for, and how many bytes the last one wrote. */
function keeper() {
  const state = new Map<string, Data>()
  const wakes: { at: number; key: string }[] = []
  const kept = {
    state,
    wakes,
    written: 0,
    turn<T>(act: (draft: ReturnType<typeof createDraft>) => T): T {
      const draft = createDraft({ get: (key) => state.get(key) })
      const result = act(draft)
      const turn = draft.turn('applied')
      wakes.push(...(turn.wake ?? []))
      kept.written = 0
      for (const [key, value] of turn.put ?? []) {
        if (value === undefined) state.delete(key)
        else state.set(key, value)
        kept.written += key.length + (JSON.stringify(value)?.length ?? 0)
      }
      return result
    },
  }
  return kept
}
