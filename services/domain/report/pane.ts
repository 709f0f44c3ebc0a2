import { DefinitionError } from '../definition-error.ts'
import type { Emission, EventTime, Operator, Place, Turn, Wake } from '../operator.ts'
import { beforeTime, endOfTime } from '../operator.ts'
import type { Draft } from './draft.ts'
import { draftOf } from './draft.ts'
import { scoreFeature, segmentNames } from './profile.ts'
import type { Tally } from './tally.ts'
import { addRow, addTally, readTallies, removeTallies } from './tally.ts'

/** Tallies that an outcome pane carries beside `__score__` (labels seen per score cell). */
export const positiveFeature = '__positive__'
export const stateFeature = '__state__'

/** The order of the cells of `__state__`. */
export const outcomeStates = ['labelled', 'expired', 'corrected', 'orphan'] as const

export const paneKinds = ['prediction', 'outcome', 'late', 'deadLetter'] as const
export type PaneKind = (typeof paneKinds)[number]

export interface PaneDefinition {
  /** Length of a pane in event time; panes start at multiples of it. */
  readonly paneMs: number
  /** What each input topic holds. */
  readonly sources: Readonly<Record<string, PaneKind>>
}

export interface PredictionInput {
  readonly time: EventTime
  readonly model: string
  readonly modelVersion: number
  readonly cells: Readonly<Record<string, number>>
  readonly segments: Readonly<Record<string, string>>
}

export interface OutcomeInput {
  readonly time: EventTime
  readonly model: string
  readonly modelVersion: number
  readonly state: (typeof outcomeStates)[number]
  readonly label: null | boolean | number | string
  /** What a correction replaces; null when there was no label before. */
  readonly previousLabel: null | boolean | number | string
  readonly scoreCell: number
  readonly segments: Readonly<Record<string, string>>
}

export interface LateInput {
  readonly topic: string
  readonly stage: string
  readonly reason: string
  readonly watermarkAt: EventTime
}

export interface DeadLetterInput {
  readonly topic: string
  readonly stage: string
  readonly reason: string
  readonly timestamp: number
  /** The event time that the stage which met it had reached; `beforeTime` when it had met nothing else. */
  readonly watermark: EventTime
}

export type PaneInput = PredictionInput | OutcomeInput | LateInput | DeadLetterInput

/** How a model is named in panes and reports. */
export const modelKey = (model: string, version: number): string => `${model}@${version}`

/**
 * Counts records into panes of event time. A pane is emitted and forgotten when the watermark passes its end;
 * what comes later for it opens a partial pane, emitted at the next pane boundary: panes add up, so nobody has
 * to tell the two apart. Late records and dead letters belong to the time at which they were met, since their
 * own is wrong or missing; each makes a partial pane of its own, at once, because the next one, which would tell
 * that time has passed, may be weeks away.
 */
export const paneBuilder = (definition: PaneDefinition): Operator<PaneInput> => {
  const { paneMs } = definition
  if (!(paneMs > 0)) throw new DefinitionError(`monitors.paneMs must be above 0, not ${paneMs}`)
  return {
    turn: (state, record, place) => {
      const kind = sourceKind(definition, place.topic)
      const time = timeOf[kind](record as never)
      const draft = draftOf(state)
      const start = time === beforeTime ? null : startOf(time, paneMs)
      if (start !== null && isSetAside(kind)) {
        const counts = [setAside(record as LateInput | DeadLetterInput)]
        return { verdict: 'applied', emit: emissionsOf(kind, start, paneMs, counts) }
      }
      const pane = paneName(kind, start)
      count[kind](draft, pane, record as never)
      const wakeAt = start === null ? beforeTime + 1 : boundary(start + paneMs, place, paneMs)
      const opened = openPane(draft, pane, start ?? fallbackStart(record, paneMs), wakeAt)
      return { verdict: 'applied', put: draft.puts(), wake: opened }
    },
    wake: (state, wake, watermark) => closePane(draftOf(state), wake, watermark, paneMs),
  }
}

/** Which event time counts, by kind. */
const timeOf = {
  prediction: (record: PredictionInput) => record.time,
  outcome: (record: OutcomeInput) => record.time,
  late: (record: LateInput) => record.watermarkAt,
  deadLetter: (record: DeadLetterInput) => record.watermark,
}

const count = {
  prediction: (draft: Draft, pane: string, record: PredictionInput) => {
    const model = modelKey(record.model, record.modelVersion)
    const segments = segmentNames(record.segments)
    for (const [feature, cell] of Object.entries(record.cells)) {
      for (const segment of segments) addRow(draft, pane, { feature, segment, model }, cell)
    }
  },
  outcome: (draft: Draft, pane: string, record: OutcomeInput) => {
    const model = modelKey(record.model, record.modelVersion)
    for (const segment of segmentNames(record.segments)) countOutcome(draft, pane, record, model, segment)
  },
  late: (draft: Draft, pane: string, record: LateInput) => {
    const tally = setAside(record)
    addTally(draft, pane, tally, tally.cells)
  },
  deadLetter: (draft: Draft, pane: string, record: DeadLetterInput) => {
    const tally = setAside(record)
    addTally(draft, pane, tally, tally.cells)
  },
}

/**
 * Labels that name a class are counted per score cell, whether they came or absence stands for them. A correction
 * takes back what the label before had counted.
 */
const countOutcome = (
  draft: Draft,
  pane: string,
  record: OutcomeInput,
  model: string,
  segment: string,
): void => {
  addRow(draft, pane, { feature: stateFeature, segment, model }, outcomeStates.indexOf(record.state))
  if (record.state === 'orphan') return
  const before = classOf(record.previousLabel)
  const after = classOf(record.label)
  const rows = Number(after !== null) - Number(before !== null)
  const positives = Number(after === true) - Number(before === true)
  if (rows !== 0) addRow(draft, pane, { feature: scoreFeature, segment, model }, record.scoreCell, rows)
  if (positives !== 0) {
    addRow(draft, pane, { feature: positiveFeature, segment, model }, record.scoreCell, positives)
  }
}

const classOf = (label: OutcomeInput['label']): boolean | null => (typeof label === 'boolean' ? label : null)

const isSetAside = (kind: PaneKind): boolean => kind === 'late' || kind === 'deadLetter'

const setAside = ({ topic, stage, reason }: LateInput | DeadLetterInput): Tally => {
  return { feature: topic, segment: `${stage}/${reason}`, model: '', cells: [1] }
}

const sourceKind = (definition: PaneDefinition, topic: string): PaneKind => {
  const kind = Object.hasOwn(definition.sources, topic) ? definition.sources[topic] : undefined
  if (kind === undefined) throw new DefinitionError(`no pane is defined for the topic ${topic}`)
  return kind
}

/** A null start is the pane of what came before any event time was known. */
const paneName = (kind: PaneKind, start: number | null): string => `${kind}/${start ?? 'early'}`

const fallbackStart = (record: PaneInput, paneMs: number): number =>
  'timestamp' in record ? startOf(record.timestamp, paneMs) : 0

/** The pane's own end, or the next boundary when that has passed: late counts are sent once per pane length. */
const boundary = (end: EventTime, place: Place, paneMs: number): EventTime =>
  Math.min(endOfTime, place.watermark < end ? end : (Math.floor(place.watermark / paneMs) + 1) * paneMs)

const openPane = (draft: Draft, pane: string, start: number, at: EventTime): Wake[] => {
  if (draft.get(`${pane}/start`) !== undefined) return []
  draft.put(`${pane}/start`, start)
  return [{ at, key: pane }]
}

/** What was met before any event time joins the pane in which event time begins. */
const closePane = (draft: Draft, wake: Wake, watermark: EventTime, paneMs: number): Turn => {
  const pane = wake.key
  const [kind, name] = pane.split('/') as [PaneKind, string]
  const counts = readTallies(draft, pane)
  const kept = draft.get(`${pane}/start`) as number
  removeTallies(draft, pane)
  draft.put(`${pane}/start`, undefined)
  const start = name === 'early' && watermark < endOfTime ? startOf(watermark, paneMs) : kept
  return { verdict: 'applied', put: draft.puts(), emit: emissionsOf(kind, start, paneMs, counts) }
}

const emissionsOf = (kind: PaneKind, start: EventTime, paneMs: number, counts: Tally[]): Emission[] => {
  if (counts.length === 0) return []
  return [{ to: 'panes', key: `${kind}/${start}`, value: { kind, start, end: start + paneMs, counts } }]
}

const startOf = (time: EventTime, paneMs: number): EventTime => Math.floor(time / paneMs) * paneMs
