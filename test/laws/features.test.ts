import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Value } from '../../services/domain/event/contract.ts'
import { linesOf, type Payment, payments, traffic } from '../domain/feature/payments.ts'
import { type FeatureRun, runFeatures } from '../driver/features.ts'
import { type NaiveVector, naiveFeatures } from '../oracle/features.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const numRuns = Number(process.env['RUNS'] ?? 60)
console.log(`laws/features seed ${seed}`)

const timeoutMs = 1_000 * numRuns
/** The limit also ends the shrinking of a counterexample, which would otherwise take minutes. */
const settings = { seed, numRuns, interruptAfterTimeLimit: timeoutMs / 2, markInterruptAsFailure: true }

test(
  'every event is counted once, scored once, as a naive recomputation from the journals does, and leaves nothing behind',
  () => {
    const statuses = new Set<string>()
    fc.assert(
      fc.property(traffic, (events) => {
        const run = runFeatures(payments, linesOf(events))
        checkBooks(run, events)
        const naive = naiveFeatures(
          payments,
          run.journals,
          run.parts.filter(({ part }) => part === 'own'),
        )
        expect(run.vectors).toHaveLength(naive.size)
        for (const vector of run.vectors) compare(vector, naive.get(vector['id'] as string))
        for (const status of run.vectors.flatMap((vector) => Object.values(vector['statuses'] as object))) {
          statuses.add(status)
        }
      }),
      settings,
    )
    expect([...statuses].sort()).toEqual(['default', 'missing', 'stale', 'value', 'warming'])
  },
  timeoutMs,
)

test(
  'tasks that restart from what they saved, at any points, write the same bytes',
  () => {
    fc.assert(
      fc.property(traffic, (events) => {
        const lines = linesOf(events)
        const uncut = lines.map((line) => ({ ...line, cut: false }))
        expect(bytesOf(runFeatures(payments, lines))).toBe(bytesOf(runFeatures(payments, uncut)))
      }),
      settings,
    )
  },
  timeoutMs,
)

test(
  'no vector changes with what comes later',
  () => {
    fc.assert(
      fc.property(traffic, fc.nat({ max: 120 }), (events, length) => {
        const vectorsOf = (some: readonly Payment[]) =>
          new Map(runFeatures(payments, once(some)).vectors.map(({ id, values }) => [id, values]))
        const all = vectorsOf(events)
        for (const [id, values] of vectorsOf(events.slice(0, length))) expect(all.get(id)).toEqual(values)
      }),
      settings,
    )
  },
  timeoutMs,
)

function checkBooks({ counts, vectors, keys }: FeatureRun, events: readonly Payment[]): void {
  for (const [task, { in: all, applied, late, duplicate, deadLettered }] of Object.entries(counts)) {
    expect([task, applied + late + duplicate + deadLettered]).toEqual([task, all])
  }
  const scored = events.flatMap(({ topic, card }, index) =>
    topic === 'payments' && card !== null ? [`e${index}`] : [],
  )
  expect(vectors.map(({ id }) => id).toSorted()).toEqual(scored.toSorted())
  for (const left of Object.values(keys)) expect(left.filter((key) => key !== 'first')).toEqual([])
}

function once(events: readonly Payment[]) {
  return linesOf(events.map((event) => ({ ...event, againAfter: null, cut: false })))
}

function compare(vector: Record<string, unknown>, naive: NaiveVector | undefined): void {
  if (naive === undefined) throw new Error(`no naive vector for ${vector['id']}`)
  expect(vector['statuses']).toEqual(naive.statuses)
  const values = vector['values'] as Record<string, Value>
  expect(Object.keys(values)).toEqual(Object.keys(naive.values).sort())
  for (const [name, expected] of Object.entries(naive.values)) {
    if (/_(sum|mean)_/.test(name) && expected !== null) close(name, values[name], expected as number)
    else if (values[name] !== expected) throw new Error(`${name} is ${values[name]}, not ${expected}`)
  }
}

/** 1e-12 relative; where amounts of up to 1e15 cancel, 1e-27 of what cancelled. */
function close(name: string, value: Value | undefined, expected: number): void {
  const error = Math.abs((value as number) - expected)
  if (!(error <= 1e-12 * Math.max(1, Math.abs(expected))))
    throw new Error(`${name} is ${value}, not ${expected}`)
}

function bytesOf({ written }: FeatureRun): string {
  return JSON.stringify([...written], (_, value) => (Object.is(value, -0) ? '-0' : value))
}
