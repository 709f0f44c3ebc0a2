import type {
  DeadLetter,
  FeatureVector,
  LateRecord,
  Outcome,
  OutcomeEntry,
  Pane,
  Prediction,
} from '../../schemas/types.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { planOf, type Stage } from '../../topologies/plan.ts'
import { topicOf } from '../../topologies/topics.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import type { Wire } from '../runtime/wire.ts'
import type { Counted, InputBooks } from './books.ts'
import {
  acceptedByTopic,
  duplicatesByInput,
  type OrderSkew,
  orderSkewOf,
  readJournals,
  sourceStages,
} from './journals.ts'
import { countRecords, isPayload, readAll } from './read-all.ts'

/** Everything that the topics of a topology say, read committed from their start by nobody but this reader. */
export interface Audit {
  readonly counted: Counted
  readonly vectors: readonly FeatureVector[]
  readonly predictions: readonly Prediction[]
  readonly outcomes: readonly Outcome[]
  readonly reports: { drift: number; coverage: number; performance: number; alerts: number }
  readonly late: number
  readonly deadLetters: number
  readonly duplicates: number
  /** Records in each user topic. */
  readonly sources: Readonly<Record<string, number>>
  readonly orderSkew: OrderSkew
}

export async function audit(kafka: Kafka, wire: Wire, topology: Topology): Promise<Audit> {
  const plan = planOf(topology)
  const own = (noun: Parameters<typeof topicOf>[1]) => topicOf(topology.name, noun)
  const all = async <T>(topic: string, schema: string) =>
    (await readAll<T>(kafka, wire, topic, schema)).map(({ value }) => value)
  const vectors = await all<FeatureVector>(own('features'), 'FeatureVector')
  const predictions = await all<Prediction>(own('predictions'), 'Prediction')
  const outcomes = await all<Outcome>(own('outcomes'), 'Outcome')
  const late = await all<LateRecord>(own('late'), 'LateRecord')
  const dead = await all<DeadLetter>(own('dead-letters'), 'DeadLetter')
  const panes = (await all<Pane>(own('panes'), 'Pane')).filter(isPayload)
  const entries = (await all<OutcomeEntry>(own('outcome-journal'), 'OutcomeEntry')).filter(isPayload)
  const journals = await readJournals(kafka, wire, plan)
  const accepted = await acceptedByTopic(kafka, wire, topology, journals)
  const duplicates = await duplicatesByInput(kafka, wire, plan)
  const sources: Record<string, number> = {}
  for (const topic of Object.keys(topology.streams)) sources[topic] = await countRecords(kafka, topic)

  const labels = entries.filter(({ kind }) => kind === 'label').length
  const booksOf = (stage: Stage, topic: string): InputBooks => ({
    service: stage.service,
    topic,
    read: sources[topic] ?? 0,
    applied: stage.name === 'label' ? labels : (accepted.get(topic) ?? 0),
    late: late.filter((record) => record.topic === topic && record.stage === stage.name).length,
    duplicate: duplicates.get(`${stage.id}/${topic}`) ?? 0,
    deadLettered: dead.filter((record) => record.topic === topic && record.stage === stage.name).length,
  })
  const inputs = sourceStages(plan).flatMap((stage) => stage.inputs.map(({ topic }) => booksOf(stage, topic)))
  return {
    counted: {
      inputs,
      features: vectors.length,
      predictions: predictions.length,
      carried: entries.length - labels,
      ...outcomeCounts(predictions, outcomes),
      panePredictions: rowsOf(panes, 'prediction', '__score__'),
      paneOutcomes: rowsOf(panes, 'outcome', '__state__', 2),
    },
    vectors,
    predictions,
    outcomes,
    reports: {
      drift: await countRecords(kafka, own('drift')),
      coverage: await countRecords(kafka, own('coverage')),
      performance: await countRecords(kafka, own('performance')),
      alerts: await countRecords(kafka, own('alerts')),
    },
    late: late.length,
    deadLetters: dead.length,
    duplicates: inputs.reduce((sum, { duplicate }) => sum + duplicate, 0),
    sources,
    orderSkew: orderSkewOf(journals),
  }
}

/** Each prediction is settled once; what comes later is a revision and changes no count. */
function outcomeCounts(
  predictions: readonly Prediction[],
  outcomes: readonly Outcome[],
): Pick<Counted, 'labelled' | 'expired' | 'pending'> {
  const first = outcomes.filter(({ revision, state }) => revision === 0 && state !== 'orphan')
  const settled = new Set(first.map(({ predictionId }) => predictionId))
  return {
    labelled: first.filter(({ state }) => state === 'labelled').length,
    expired: first.filter(({ state }) => state === 'expired').length,
    pending: predictions.filter(({ predictionId }) => !settled.has(predictionId)).length,
  }
}

/** Rows in panes: the first cells of one feature over all segments. */
function rowsOf(panes: readonly Pane[], kind: Pane['kind'], feature: string, cells?: number): number {
  let rows = 0
  for (const pane of panes) {
    if (pane.kind !== kind) continue
    for (const count of pane.counts) {
      if (count.feature !== feature || count.segment !== '') continue
      for (const cell of count.cells.slice(0, cells)) rows += cell
    }
  }
  return rows
}
