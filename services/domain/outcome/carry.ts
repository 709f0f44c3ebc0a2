import type { EventTime, Operator, Turn } from '../operator.ts'
import { scoreCellName } from '../prediction/score.ts'
import { predictionEntry } from './entry.ts'

/** A prediction, as far as its outcome needs it. */
export interface CarriedPrediction {
  readonly predictionId: string
  readonly id: string
  readonly time: EventTime
  readonly model: string
  readonly modelVersion: number
  readonly score: number
  readonly decision: boolean
  readonly cells: Readonly<Record<string, number>>
  readonly segments: Readonly<Record<string, string>>
}

/** Writes the part of each prediction that its outcome needs to the outcome journal. It has no state. */
export function carryOperator(): Operator<CarriedPrediction> {
  return {
    turn(_state, prediction): Turn {
      const entry = predictionEntry(prediction.id, prediction.time, {
        predictionId: prediction.predictionId,
        model: prediction.model,
        modelVersion: prediction.modelVersion,
        score: prediction.score,
        decision: prediction.decision,
        scoreCell: prediction.cells[scoreCellName] ?? 0,
        segments: prediction.segments,
      })
      return { verdict: 'applied', emit: [{ to: 'journal', key: prediction.id, value: { ...entry } }] }
    },
  }
}
