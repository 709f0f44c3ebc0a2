import type { Data, Emission, EventTime, Operator, StateReader, Turn, Verdict, Wake } from '../operator.ts'
import { endOfTime } from '../operator.ts'
import type { OutcomeEntry } from './entry.ts'
import type { JoinRules, Label, Meeting, Outcome, Tracked } from './meeting.ts'
import { addWaiting, expirePrediction, feedLabels, orphanOutcome } from './meeting.ts'

/**
 * Joins predictions and labels by event id, in event time. Per event:
 *
 * - prediction, then a label within the horizon: `labelled`, revision 0;
 * - no such label once the watermark has passed the horizon: `expired`, revision 0, with the label that absence means;
 * - a different label afterwards: `corrected`, with the next revision, while the event is remembered;
 * - a label first waits for its prediction; when none comes within a horizon it is an `orphan`, joined to nothing; so is
 *   one that comes too late to correct anything;
 * - the same label again, or the same event predicted again: a duplicate.
 *
 * So predictions = labelled + expired + pending, counted over revision 0 and without orphans. At the end of time
 * nothing is pending.
 */
export function joinOperator(rules: JoinRules): Operator<OutcomeEntry> {
  return {
    turn(state, entry, place) {
      const meeting = meetingOf(state, entry.id)
      if (entry.kind === 'prediction') return meetPrediction(rules, meeting, entry)
      return meetLabel(rules, meeting, entry, place.watermark)
    },
    wake(state, wake) {
      const [what, id] = parseWakeKey(wake.key)
      const meeting = meetingOf(state, id)
      if (what === 'expire') {
        const { meeting: after, outcomes } = expirePrediction(rules, meeting)
        return turnOf(id, after, outcomes)
      }
      if (what === 'forget') return turnOf(id, nobody, [])
      return orphan(id, meeting, wake.at)
    },
  }
}

function meetPrediction(rules: JoinRules, meeting: Meeting, entry: OutcomeEntry): Turn {
  if (meeting.prediction !== null) return { verdict: 'duplicate' }
  const { meeting: after, outcomes } = feedLabels(rules, track(entry), meeting.labels)
  const passedAt = entry.time + rules.horizonMs + 1
  const wake = [
    wakeOf('expire', entry.id, passedAt),
    wakeOf('forget', entry.id, passedAt + rules.correctionMs),
  ]
  return turnOf(entry.id, after, outcomes, 'applied', wake)
}

function meetLabel(rules: JoinRules, meeting: Meeting, entry: OutcomeEntry, watermark: EventTime): Turn {
  const until = Math.min(Math.max(entry.time, watermark) + rules.horizonMs + 1, endOfTime)
  const label: Label = { time: entry.time, value: entry.label, until }
  if (meeting.prediction === null) {
    const { labels, verdict } = addWaiting(meeting.labels, label)
    if (verdict === 'duplicate') return { verdict }
    return turnOf(entry.id, { prediction: null, labels }, [], verdict, [wakeOf('orphan', entry.id, until)])
  }
  const fed = feedLabels(rules, meeting.prediction, [...meeting.labels, label])
  return turnOf(entry.id, fed.meeting, fed.outcomes, fed.verdict)
}

/** Labels that waited long enough without a prediction; those of a prediction are its own affair. */
function orphan(id: string, meeting: Meeting, at: EventTime): Turn {
  if (meeting.prediction !== null) return { verdict: 'applied' }
  const labels = meeting.labels.filter((label) => label.until > at)
  const outcomes = meeting.labels.filter((label) => label.until <= at).map(orphanOutcome)
  return turnOf(id, { prediction: null, labels }, outcomes)
}

function track(entry: OutcomeEntry): Tracked {
  return {
    predictionId: entry.predictionId,
    model: entry.model,
    modelVersion: entry.modelVersion,
    score: entry.score,
    decision: entry.decision,
    scoreCell: entry.scoreCell,
    segments: entry.segments,
    time: entry.time,
    state: 'pending',
    label: null,
    revision: 0,
  }
}

const statePrefix = 'meeting/'
const nobody: Meeting = { prediction: null, labels: [] }

function meetingOf(state: StateReader, id: string): Meeting {
  return (state.get(statePrefix + id) as Meeting | undefined) ?? nobody
}

function turnOf(
  id: string,
  meeting: Meeting,
  outcomes: readonly Outcome[],
  verdict: Verdict = 'applied',
  wake: readonly Wake[] = [],
): Turn {
  const empty = meeting.prediction === null && meeting.labels.length === 0
  const kept: Data | undefined = empty ? undefined : meeting
  const emit = outcomes.map((outcome): Emission => ({ to: 'outcomes', key: id, value: { id, ...outcome } }))
  return { verdict, put: [[statePrefix + id, kept]], emit, wake }
}

type WakeKind = 'expire' | 'forget' | 'orphan'

function wakeOf(what: WakeKind, id: string, at: EventTime): Wake {
  return { at, key: `${what}/${id}` }
}

function parseWakeKey(key: string): [what: WakeKind, id: string] {
  const slash = key.indexOf('/')
  return [key.slice(0, slash) as WakeKind, key.slice(slash + 1)]
}
