import type { Value } from '../event/contract.ts'
import type { EventTime } from '../operator.ts'

/** What a prediction takes along to its outcome. */
export interface Carried {
  readonly predictionId: string
  readonly model: string
  readonly modelVersion: number
  readonly score: number
  readonly decision: boolean
  readonly scoreCell: number
  readonly segments: Readonly<Record<string, string>>
}

/** A record of the outcome journal, where predictions and labels meet under the event's id. */
export interface OutcomeEntry extends Carried {
  readonly kind: 'prediction' | 'label'
  readonly id: string
  /** Of the scored event for a prediction, of the label's record for a label. */
  readonly time: EventTime
  readonly label: Value
  /** The topic that brought the label; empty for a prediction. */
  readonly source: string
}

/** What stands in the place of a prediction where there is none. */
export const nothingCarried: Carried = {
  predictionId: '',
  model: '',
  modelVersion: 0,
  score: 0,
  decision: false,
  scoreCell: 0,
  segments: {},
}

export function labelEntry(id: string, time: EventTime, label: Value, source: string): OutcomeEntry {
  return { ...nothingCarried, kind: 'label', id, time, label, source }
}

export function predictionEntry(id: string, time: EventTime, carried: Carried): OutcomeEntry {
  return { ...carried, kind: 'prediction', id, time, label: null, source: '' }
}
