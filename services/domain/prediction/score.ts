import type { Value } from '../event/contract.ts'
import type { FeatureStatus } from '../feature/records.ts'
import type { Operator, Turn } from '../operator.ts'
import type { FallbackStep } from './fallback.ts'
import { compileFallback } from './fallback.ts'
import type { ModelAnswer, PreparedScore } from './prepare.ts'
import type { FeatureVector } from './vector.ts'
import { featureOf } from './vector.ts'

export interface ScoringModel {
  readonly name: string
  readonly version: number
  readonly sha256: string
  /** Feature names in the order of the model's input columns. */
  readonly inputs: readonly string[]
  /** The decision is true from here on: score ≥ threshold. */
  readonly threshold: number
  readonly fallback: readonly FallbackStep[]
}

/** The reference profile, as scoring needs it: which cell a value falls into. */
export interface Cells {
  /** Hash of the profile. */
  readonly hash: string
  cellOf(feature: string, value: Value, status: FeatureStatus): number | undefined
  scoreCell(score: number): number
}

export interface ScoreDefinition {
  readonly topology: { readonly name: string; readonly hash: string }
  /** The feature set that the model is bound to. */
  readonly featureSet: string
  readonly model: ScoringModel
  readonly cells: Cells
  /** Segment name to a compiled expression over the event's fields. */
  readonly segments: Readonly<Record<string, (event: Readonly<Record<string, Value>>) => Value>>
  /** Features whose values the prediction log may hold. */
  readonly log: readonly string[]
}

/** The cell of the score stands beside those of the features, under this name. */
export const scoreCellName = '__score__'

/**
 * Turns a vector and the model's answer into one prediction. It has no state: the same vector and answer give the
 * same prediction, whenever and wherever.
 *
 * @throws DefinitionError when the fallback chain could end without an answer.
 */
export function scoreOperator(definition: ScoreDefinition): Operator<PreparedScore> {
  const fallback = compileFallback(definition.model.name, definition.model.fallback)
  const segments = sorted(Object.entries(definition.segments), ([name]) => name)
  const inputs = sorted(definition.model.inputs, (name) => name)
  const log = sorted(definition.log, (name) => name)

  function serve({ vector, scored }: PreparedScore) {
    if (scored.ok) return { servedBy: 'model', score: scored.score, fallbackReason: null }
    return { ...fallback(vector), fallbackReason: reasonText(scored) }
  }

  function turn(_state: unknown, prepared: PreparedScore): Turn {
    const { vector } = prepared
    refuseOtherFeatureSet(definition, vector)
    const served = serve(prepared)
    const { model, topology, cells } = definition
    const value = {
      predictionId: predictionId(topology.name, model, vector.id),
      id: vector.id,
      time: vector.time,
      late: vector.late,
      topology: topology.name,
      topologyHash: topology.hash,
      featureSet: vector.featureSet,
      model: model.name,
      modelVersion: model.version,
      modelSha256: model.sha256,
      ...served,
      decision: served.score >= model.threshold,
      threshold: model.threshold,
      profile: cells.hash,
      cells: cellsOf(cells, inputs, vector, served.score),
      statuses: Object.fromEntries(inputs.map((name) => [name, featureOf(vector, name).status])),
      values: Object.fromEntries(log.map((name) => [name, featureOf(vector, name).value])),
      segments: Object.fromEntries(segments.map(([name, of]) => [name, segmentText(of(vector.event))])),
    }
    return { verdict: 'applied', emit: [{ to: 'predictions', key: vector.id, value }] }
  }

  return { turn }
}

/** A name that a person can read and two runs agree on. Names of topologies and models hold no slash. */
export function predictionId(
  topology: string,
  model: Pick<ScoringModel, 'name' | 'version'>,
  id: string,
): string {
  return `${topology}/${model.name}/${model.version}/${id}`
}

/** A null segment value is a value of its own: its rows are counted, not lost. */
function segmentText(value: Value): string {
  return value === null ? 'unknown' : String(value)
}

/** What failed in the model itself may read differently on another day; only what the vector decides is detailed. */
function reasonText(answer: Extract<ModelAnswer, { ok: false }>): string {
  return answer.reason === 'invalid-input' ? `${answer.reason}: ${answer.detail}` : answer.reason
}

function cellsOf(
  cells: Cells,
  inputs: readonly string[],
  vector: FeatureVector,
  score: number,
): Record<string, number> {
  const found = new Map([[scoreCellName, cells.scoreCell(score)]])
  for (const name of inputs) {
    const { value, status } = featureOf(vector, name)
    const cell = cells.cellOf(name, value, status)
    if (cell !== undefined) found.set(name, cell)
  }
  return Object.fromEntries(sorted([...found], ([name]) => name))
}

function refuseOtherFeatureSet(definition: ScoreDefinition, vector: FeatureVector): void {
  if (vector.featureSet === definition.featureSet) return
  const { name, version } = definition.model
  const message = `model ${name} version ${version} is bound to feature set ${definition.featureSet}, the vector to ${vector.featureSet}`
  throw Object.assign(new Error(message), { code: 'TM_FEATURE_SET' })
}

function sorted<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return [...items].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}
