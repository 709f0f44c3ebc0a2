import { type Composition, plannedStage } from '../composition.ts'
import type { SourceRecord } from '../domain/event/accept.ts'
import { compileExpression } from '../domain/feature/expression.ts'
import { type CarriedPrediction, carryOperator } from '../domain/outcome/carry.ts'
import type { OutcomeEntry } from '../domain/outcome/entry.ts'
import { joinOperator } from '../domain/outcome/join.ts'
import { labelOperator } from '../domain/outcome/label.ts'
import { readInternal, readSource } from '../runtime/read.ts'
import { type Stage, writersOf } from '../runtime/stage.ts'

/** Labels and the carried part of predictions meet in the outcome journal, and are joined there. */
export async function outcomes(composition: Composition): Promise<Stage[]> {
  return [labelStage(composition), carryStage(composition), joinStage(composition)]
}

/** Without `carry`: for those who bring predictions of their own, as a backfill does. */
export function labelAndJoin(composition: Composition): Stage[] {
  return [labelStage(composition), joinStage(composition)]
}

function labelStage(composition: Composition): Stage<SourceRecord> {
  const { topology, bytes } = composition
  const { label, streams } = topology
  const stream = streams[label.stream]!
  const value = compileExpression(label.value)
  const planned = plannedStage(composition, 'label')
  return {
    ...planned,
    idleMs: stream.idleMs,
    delayMs: 0,
    timekeepers: () => [],
    operator: () => labelOperator({ stream, id: label.id, value }),
    read: readSource(bytes, planned.inputs),
  }
}

function carryStage(composition: Composition): Stage<CarriedPrediction> {
  return {
    ...plannedStage(composition, 'carry'),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    timekeepers: writersOf,
    operator: () => carryOperator(),
    read: readInternal(composition.bytes, 'Prediction'),
  }
}

/** A prediction expires one millisecond after its horizon, so that is how far the outcomes' watermark lags. */
function joinStage(composition: Composition): Stage<OutcomeEntry> {
  const { horizonMs, absence } = composition.topology.label
  return {
    ...plannedStage(composition, 'join'),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: horizonMs + 1,
    timekeepers: writersOf,
    operator: () => joinOperator({ horizonMs, correctionMs: horizonMs, absence }),
    read: readInternal(composition.bytes, 'OutcomeEntry'),
  }
}
