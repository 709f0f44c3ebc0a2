import type { OutcomeEntry } from '../../services/domain/outcome/entry.ts'
import type { JoinRules } from '../../services/domain/outcome/meeting.ts'

/** A line of a journal: the entry, and the watermark of the task once it has been read. */
export interface JournalLine {
  readonly entry: OutcomeEntry
  readonly watermark: number
}

export interface NaiveOutcome {
  readonly id: string
  readonly state: 'labelled' | 'expired' | 'corrected' | 'orphan'
  readonly label: unknown
  readonly previousLabel: unknown
  readonly labelTime: number | null
  readonly revision: number
}

interface NaiveLabel {
  readonly line: number
  readonly time: number
  readonly value: unknown
  /** The journal line at which it gives up waiting for a prediction. */
  readonly gone: number
}

/**
 * The join by definition: event by event over the whole journal, with no state, no timers and no order of work. A
 * timer set for time `at` acts just before the first line that brings the watermark to it or beyond, at the end otherwise.
 */
export function naiveOutcomes(rules: JoinRules, journal: readonly JournalLine[]): NaiveOutcome[] {
  const ids = [...new Set(journal.map(({ entry }) => entry.id))]
  const actsBefore = (at: number, from: number) => {
    const reached = journal[from]?.watermark ?? 0
    const line = journal.findIndex(
      ({ watermark }, index) => index > from && watermark > reached && watermark >= at,
    )
    return line === -1 ? journal.length : line
  }
  return ids.flatMap((id) => {
    const lines = journal.map(({ entry }, line) => ({ entry, line })).filter(({ entry }) => entry.id === id)
    return outcomesOf(rules, journal, id, lines, actsBefore)
  })
}

/**
 * The same for a journal of a million lines whose watermarks never fall: the lines of an event are found once, and the
 * line before which a timer acts by halving. A timer whose time has passed when it is set acts before the next line,
 * whether or not time moves: so does the task's.
 */
export function keyedOutcomes(rules: JoinRules, journal: readonly JournalLine[]): NaiveOutcome[] {
  const actsBefore = (at: number, from: number) => {
    let low = from + 1
    let high = journal.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (journal[middle]!.watermark >= at) high = middle
      else low = middle + 1
    }
    return low
  }
  const byId = new Map<string, Line[]>()
  journal.forEach(({ entry }, line) => {
    const lines = byId.get(entry.id)
    if (lines === undefined) byId.set(entry.id, [{ entry, line }])
    else lines.push({ entry, line })
  })
  return [...byId].flatMap(([id, lines]) => outcomesOf(rules, journal, id, lines, actsBefore))
}

type Line = { readonly entry: OutcomeEntry; readonly line: number }

/** @param actsBefore the line before which a timer for `at` acts that is set at line `from` */
function outcomesOf(
  rules: JoinRules,
  journal: readonly JournalLine[],
  id: string,
  lines: readonly Line[],
  actsBefore: (at: number, from: number) => number,
): NaiveOutcome[] {
  const first = lines.find(({ entry }) => entry.kind === 'prediction')
  const all = lines
    .filter(({ entry }) => entry.kind === 'label')
    .map(({ entry, line }): NaiveLabel => {
      const waits = Math.max(entry.time, journal[line]?.watermark ?? 0) + rules.horizonMs + 1
      return { line, time: entry.time, value: entry.label, gone: actsBefore(waits, line) }
    })
  if (first === undefined) return orphans(id, changes(all))
  const deadline = first.entry.time + rules.horizonMs
  const expiry = actsBefore(deadline + 1, first.line)
  const end = actsBefore(deadline + 1 + rules.correctionMs, first.line)
  const early = changes(all.filter(({ line }) => line < first.line))
  const met = early.filter(({ gone }) => gone > first.line)
  const rest = all.filter(({ line }) => line > first.line && line < end)
  const usable = [...met, ...rest].filter(({ time }) => time <= deadline + rules.correctionMs)
  const tooLate = [...met, ...rest].filter((one) => !usable.includes(one))
  const forgotten = lines.filter(({ line }) => line >= end)
  return [
    ...orphans(
      id,
      early.filter(({ gone }) => gone <= first.line),
    ),
    ...revisions(rules, id, deadline, expiry, usable),
    ...orphans(id, tooLate),
    ...outcomesOf(rules, journal, id, forgotten, actsBefore),
  ]
}

/** Revision 0 is the first label in time, or none; after it every change of value, those from beyond the horizon too. */
function revisions(
  rules: JoinRules,
  id: string,
  deadline: number,
  expiry: number,
  usable: readonly NaiveLabel[],
): NaiveOutcome[] {
  const winner = usable.find(({ line, time }) => line < expiry && time <= deadline)
  const absent = rules.absence === 'negative' ? false : null
  const zero: NaiveOutcome = winner
    ? { id, state: 'labelled', label: winner.value, previousLabel: null, labelTime: winner.time, revision: 0 }
    : { id, state: 'expired', label: absent, previousLabel: null, labelTime: null, revision: 0 }
  const outcomes = [zero]
  for (const { value, time } of usable.filter((label) => label !== winner)) {
    const current = outcomes.at(-1)!
    if (current.label === value) continue
    const before = { previousLabel: current.label, revision: current.revision + 1 }
    outcomes.push({ id, state: 'corrected', label: value, labelTime: time, ...before })
  }
  return outcomes
}

function orphans(id: string, labels: readonly NaiveLabel[]): NaiveOutcome[] {
  return labels.map(({ value, time }) => ({
    id,
    state: 'orphan',
    label: value,
    previousLabel: null,
    labelTime: time,
    revision: 0,
  }))
}

/** Labels without those that repeat the value of the last one that still waits. */
function changes(labels: readonly NaiveLabel[]): NaiveLabel[] {
  const kept: NaiveLabel[] = []
  for (const label of labels) {
    const before = kept.findLast(({ gone }) => gone > label.line)
    if (before === undefined || before.value !== label.value) kept.push(label)
  }
  return kept
}
