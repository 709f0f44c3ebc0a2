import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from '../../../services/domain/event/contract.ts'
import { endOfTime } from '../../../services/domain/operator.ts'
import type { OutcomeEntry } from '../../../services/domain/outcome/entry.ts'
import { labelEntry, predictionEntry } from '../../../services/domain/outcome/entry.ts'
import { joinOperator } from '../../../services/domain/outcome/join.ts'
import type { JoinRules } from '../../../services/domain/outcome/meeting.ts'
import type { JournalLine, NaiveOutcome } from '../../oracle/outcomes.ts'
import { naiveOutcomes } from '../../oracle/outcomes.ts'
import type { Task } from './replay.ts'
import { finish, newTask, restored, step } from './replay.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`join.test seed ${seed}`)

const rules: JoinRules = { horizonMs: 100, correctionMs: 50, absence: 'unknown' }

function prediction(id: string, time: number): OutcomeEntry {
  return predictionEntry(id, time, {
    predictionId: `t/m/1/${id}`,
    model: 'm',
    modelVersion: 1,
    score: 0.25,
    decision: false,
    scoreCell: 7,
    segments: { hub: 'ATL' },
  })
}

function label(id: string, time: number, value: Value = true): OutcomeEntry {
  return labelEntry(id, time, value, 'landings')
}

function run(journal: readonly JournalLine[], under = rules, cutAt = -1): Task {
  const operator = joinOperator(under)
  let task = newTask()
  journal.forEach(({ entry, watermark }, line) => {
    if (line === cutAt) task = restored(task)
    step(operator, task, entry, watermark, line)
  })
  finish(operator, task)
  return task
}

function seen(task: Task): NaiveOutcome[] {
  return task.emitted.map(({ value }) => {
    const { id, state, label, previousLabel, labelTime, revision } = value as unknown as NaiveOutcome
    return { id, state, label, previousLabel, labelTime, revision }
  })
}

describe('the join of predictions and labels', () => {
  it('labels a prediction whose label comes within the horizon, and says how long it took', () => {
    const task = run([
      { entry: prediction('a', 1000), watermark: 990 },
      { entry: label('a', 1100), watermark: 1100 },
    ])
    expect(task.emitted).toHaveLength(1)
    expect(task.emitted[0]).toMatchObject({
      to: 'outcomes',
      key: 'a',
      value: {
        id: 'a',
        predictionId: 't/m/1/a',
        time: 1000,
        state: 'labelled',
        label: true,
        labelTime: 1100,
        delayMs: 100,
        score: 0.25,
        decision: false,
        scoreCell: 7,
        segments: { hub: 'ATL' },
        revision: 0,
      },
    })
    expect(task.state.size).toBe(0)
  })

  it('expires a prediction without a label, as unknown or as negative', () => {
    const journal = [{ entry: prediction('a', 1000), watermark: 990 }]
    expect(seen(run(journal))).toMatchObject([{ state: 'expired', label: null, labelTime: null }])
    expect(seen(run(journal, { ...rules, absence: 'negative' }))).toMatchObject([
      { state: 'expired', label: false },
    ])
  })

  it('lets a label wait for its prediction', () => {
    const task = run([
      { entry: label('a', 1040), watermark: 900 },
      { entry: prediction('a', 1000), watermark: 950 },
    ])
    expect(seen(task)).toMatchObject([{ state: 'labelled', labelTime: 1040 }])
  })

  it('calls a label without a prediction an orphan, outside the books', () => {
    const task = run([{ entry: label('a', 1040), watermark: 900 }])
    expect(task.emitted[0]?.value).toMatchObject({ state: 'orphan', predictionId: '', delayMs: null })
    expect(task.state.size).toBe(0)
  })

  it('corrects an outcome when a later label differs, and calls the same label a duplicate', () => {
    const task = run([
      { entry: prediction('a', 1000), watermark: 990 },
      { entry: label('a', 1010, true), watermark: 1000 },
      { entry: label('a', 1020, true), watermark: 1000 },
      { entry: label('a', 1030, false), watermark: 1000 },
    ])
    expect(task.verdicts).toEqual(['applied', 'applied', 'duplicate', 'applied'])
    expect(seen(task)).toMatchObject([
      { state: 'labelled', label: true, previousLabel: null, revision: 0 },
      { state: 'corrected', label: false, previousLabel: true, revision: 1 },
    ])
  })

  it('corrects an expired outcome with a label from beyond the horizon, until the event is forgotten', () => {
    const task = run([
      { entry: prediction('a', 1000), watermark: 990 },
      { entry: label('a', 1120), watermark: 1110 },
      { entry: prediction('b', 1000), watermark: 1110 },
      { entry: label('b', 1151), watermark: 1110 },
    ])
    expect(task.verdicts).toEqual(['applied', 'applied', 'applied', 'late'])
    expect(
      seen(task).map(({ id, state, previousLabel, revision }) => [id, state, previousLabel, revision]),
    ).toEqual([
      ['a', 'expired', null, 0],
      ['a', 'corrected', null, 1],
      ['b', 'orphan', null, 0],
      ['b', 'expired', null, 0],
    ])
  })

  it('counts an event that was predicted twice once', () => {
    const task = run([
      { entry: prediction('a', 1000), watermark: 990 },
      { entry: prediction('a', 1000), watermark: 990 },
    ])
    expect(task.verdicts).toEqual(['applied', 'duplicate'])
    expect(task.emitted).toHaveLength(1)
  })

  it('lets no more than eight labels of one event wait: the newest takes the last place', () => {
    const labels = Array.from({ length: 20 }, (_, at) => label('a', 1000 + at, at))
    const task = run(labels.map((entry) => ({ entry, watermark: 900 })))
    expect(seen(task).map(({ label }) => label)).toEqual([0, 1, 2, 3, 4, 5, 6, 19])
  })

  it('leaves nothing waiting when the end of the input had already come', () => {
    const task = run([{ entry: label('a', 1000), watermark: endOfTime - 10 }])
    expect(seen(task)).toMatchObject([{ state: 'orphan' }])
  })
})

const ids = ['a', 'b', 'toString', '__proto__', 'x/y']
const anyEntry = fc.record({
  id: fc.constantFrom(...ids),
  predicts: fc.boolean(),
  time: fc.integer({ min: 0, max: 400 }),
  value: fc.constantFrom<Value>(true, false),
  step: fc.integer({ min: 0, max: 40 }),
})
const countOf = (entries: readonly { id: string; predicts: boolean }[], id: string) =>
  entries.filter((entry) => entry.id === id && !entry.predicts).length

/** Journals with every disorder there is: the watermark has nothing to do with the times. */
const anyJournal = fc.array(anyEntry, { maxLength: 40 }).map((entries): JournalLine[] => {
  let watermark = 0
  const few = entries.filter((entry, at) => entry.predicts || countOf(entries.slice(0, at), entry.id) < 8)
  return few.map(({ id, predicts, time, value, step }) => {
    watermark += step
    return { entry: predicts ? prediction(id, time) : label(id, time, value), watermark }
  })
})
/** Per event the story of its prediction in order, and its orphans as a bag. */
const byId = (outcomes: NaiveOutcome[]) =>
  ids.map((id) => {
    const own = outcomes.filter((outcome) => outcome.id === id)
    const orphans = own
      .filter(({ state }) => state === 'orphan')
      .map((one) => `${one.labelTime} ${one.label}`)
    return { revisions: own.filter(({ state }) => state !== 'orphan'), orphans: orphans.toSorted() }
  })

describe('the join against the naive one', () => {
  for (const absence of ['unknown', 'negative'] as const) {
    it(`equals it for any disorder, when absence means ${absence}`, () => {
      const under = { ...rules, absence }
      fc.assert(
        fc.property(anyJournal, (journal) => {
          expect(byId(seen(run(journal, under)))).toEqual(byId(naiveOutcomes(under, journal)))
        }),
        { seed, numRuns: 2000 },
      )
    })
  }

  it('keeps the books and leaves no state: predictions = labelled + expired over revision 0', () => {
    fc.assert(
      fc.property(anyJournal, (journal) => {
        const task = run(journal)
        const predictions = journal.filter(
          ({ entry }, line) => entry.kind === 'prediction' && task.verdicts[line] === 'applied',
        )
        const first = seen(task).filter(({ state, revision }) => state !== 'orphan' && revision === 0)
        expect(first).toHaveLength(predictions.length)
        expect(first.every(({ state }) => state === 'labelled' || state === 'expired')).toBe(true)
        expect([task.state.size, task.wakes.length]).toEqual([0, 0])
      }),
      { seed, numRuns: 1000 },
    )
  })

  it('gives the same after a cut and a restore at any line', () => {
    fc.assert(
      fc.property(anyJournal, fc.nat(40), (journal, cutAt) => {
        expect(run(journal, rules, cutAt).emitted).toEqual(run(journal).emitted)
      }),
      { seed, numRuns: 1000 },
    )
  })
})

const keyOf = ({ id, state, revision }: NaiveOutcome) => `${id} ${revision} ${state}`

describe('what the join publishes', () => {
  const happening = fc.record({
    time: fc.integer({ min: 0, max: 400 }),
    delay: fc.option(fc.integer({ min: 0, max: 200 })),
    value: fc.boolean(),
  })

  it('does not depend on how the two writers interleave, when their watermarks hold', () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        (happenings, coin) => {
          const writers = [
            happenings.map(({ time }, index) => prediction(`e${index}`, time)),
            happenings.flatMap(({ time, delay, value }, index) =>
              delay === null ? [] : [label(`e${index}`, time + delay, value)],
            ),
          ].map((entries) => entries.toSorted((a, b) => a.time - b.time))
          const outcomes = (journal: JournalLine[]) =>
            seen(run(journal)).toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)))
          const inTurn = interleave(writers, () => true)
          const tossed = interleave(writers, () => coin.next().value === true)
          expect(outcomes(tossed)).toEqual(outcomes(inTurn))
        },
      ),
      { seed, numRuns: 1000 },
    )
  })
})

/** A journal of two writers in order; its watermark is the lesser of how far both have come. */
function interleave(writers: readonly (readonly OutcomeEntry[])[], first: () => boolean): JournalLine[] {
  const queues = writers.map((entries) => [...entries])
  const reached = queues.map(() => -1)
  const journal: JournalLine[] = []
  while (queues.some((queue) => queue.length > 0)) {
    const chosen = (queues[0]!.length > 0 && first()) || queues[1]!.length === 0 ? 0 : 1
    const entry = queues[chosen]!.shift()!
    reached[chosen] = entry.time
    journal.push({ entry, watermark: Math.min(...reached) })
  }
  return journal
}
