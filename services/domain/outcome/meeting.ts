import type { Value } from '../event/contract.ts'
import type { EventTime, Verdict } from '../operator.ts'
import type { Carried } from './entry.ts'
import { nothingCarried } from './entry.ts'

/** How long a prediction waits for its label, and what it means when none comes. */
export interface JoinRules {
  /** A label that happened at most so long after the event is in time. */
  readonly horizonMs: number
  /** For how long after the horizon a label may still correct the outcome. */
  readonly correctionMs: number
  readonly absence: 'unknown' | 'negative'
}

/** A label as it waits or is offered. Type aliases, not interfaces: these are kept as plain data. */
export type Label = {
  readonly time: EventTime
  readonly value: Value
  /** Until when it waits for a prediction. */
  readonly until: EventTime
}

export type Tracked = {
  readonly predictionId: string
  readonly model: string
  readonly modelVersion: number
  readonly score: number
  readonly decision: boolean
  readonly scoreCell: number
  readonly segments: { readonly [name: string]: string }
  readonly time: EventTime
  readonly state: 'pending' | 'labelled' | 'expired' | 'corrected'
  readonly label: Value
  readonly revision: number
}

/** What is known of one event: its prediction, and labels that wait for it or for its horizon to pass. */
export type Meeting = { readonly prediction: Tracked | null; readonly labels: readonly Label[] }

/** What an outcome says beyond the event's id. */
export interface Outcome extends Carried {
  readonly time: EventTime
  readonly state: 'labelled' | 'expired' | 'corrected' | 'orphan'
  readonly label: Value
  /** What a correction replaces; null at revision 0, or when the revision before had no label. */
  readonly previousLabel: Value
  readonly labelTime: EventTime | null
  readonly delayMs: number | null
  readonly revision: number
}

export interface Fed {
  readonly meeting: Meeting
  readonly outcomes: readonly Outcome[]
  /** What became of the last label. */
  readonly verdict: Verdict
}

/** More labels than this do not wait for one event; the newest takes the last place. */
const waitingLimit = 8

/** Adds a label to those that wait; the same value twice running is a duplicate. */
export function addWaiting(
  waiting: readonly Label[],
  label: Label,
): { labels: readonly Label[]; verdict: Verdict } {
  if (waiting.at(-1)?.value === label.value) return { labels: waiting, verdict: 'duplicate' }
  return { labels: [...waiting.slice(0, waitingLimit - 1), label], verdict: 'applied' }
}

/**
 * Offers labels to a prediction, in order. The first within the horizon labels it; one from beyond the horizon waits
 * until the prediction has been labelled or has expired, so that what is published does not depend on which of the
 * two was read first. A different value afterwards corrects it, if it happened within `correctionMs` after the
 * horizon; what happened later is an orphan, as it would be once the event is forgotten.
 */
export function feedLabels(rules: JoinRules, prediction: Tracked, offered: readonly Label[]): Fed {
  let meeting: Meeting = { prediction, labels: [] }
  let verdict: Verdict = 'applied'
  const outcomes: Outcome[] = []
  for (const label of offered) {
    const fed = feedOne(rules, meeting.prediction ?? prediction, meeting.labels, label)
    meeting = fed.meeting
    verdict = fed.verdict
    outcomes.push(...fed.outcomes)
  }
  return { meeting, outcomes, verdict }
}

/** The horizon has passed: a prediction without a label expires, and labels from beyond the horizon are offered. */
export function expirePrediction(rules: JoinRules, { prediction, labels }: Meeting): Fed {
  if (prediction === null || prediction.state !== 'pending') {
    return { meeting: { prediction, labels }, outcomes: [], verdict: 'applied' }
  }
  const label = rules.absence === 'negative' ? false : null
  const expired: Tracked = { ...prediction, state: 'expired', label }
  const fed = feedLabels(rules, expired, labels)
  return { ...fed, outcomes: [outcomeOf(expired, null, null), ...fed.outcomes] }
}

export function outcomeOf(tracked: Tracked, previousLabel: Value, labelTime: EventTime | null): Outcome {
  const { state, ...rest } = tracked
  const published = state === 'pending' ? 'expired' : state
  return {
    ...rest,
    state: published,
    previousLabel,
    labelTime,
    delayMs: labelTime === null ? null : labelTime - tracked.time,
  }
}

export function orphanOutcome(label: Label): Outcome {
  return {
    ...nothingCarried,
    time: label.time,
    state: 'orphan',
    label: label.value,
    previousLabel: null,
    labelTime: label.time,
    delayMs: null,
    revision: 0,
  }
}

function feedOne(rules: JoinRules, prediction: Tracked, waiting: readonly Label[], label: Label): Fed {
  const beyondMs = label.time - prediction.time - rules.horizonMs
  const unchanged = { meeting: { prediction, labels: waiting }, outcomes: [] }
  if (beyondMs > rules.correctionMs)
    return { ...unchanged, outcomes: [orphanOutcome(label)], verdict: 'late' }
  if (prediction.state === 'pending') {
    if (beyondMs <= 0) return publish(rules, prediction, 'labelled', waiting, label)
    const { labels, verdict } = addWaiting(waiting, label)
    return { meeting: { prediction, labels }, outcomes: [], verdict }
  }
  if (label.value === prediction.label) return { ...unchanged, verdict: 'duplicate' }
  return publish(rules, prediction, 'corrected', waiting, label)
}

function publish(
  rules: JoinRules,
  prediction: Tracked,
  state: 'labelled' | 'corrected',
  waiting: readonly Label[],
  label: Label,
): Fed {
  const revision = prediction.revision + (state === 'corrected' ? 1 : 0)
  const published: Tracked = { ...prediction, state, label: label.value, revision }
  const fed = feedLabels(rules, published, waiting)
  return {
    meeting: fed.meeting,
    outcomes: [outcomeOf(published, prediction.label, label.time), ...fed.outcomes],
    verdict: 'applied',
  }
}
