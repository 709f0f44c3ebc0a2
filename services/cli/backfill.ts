import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import type { FeatureVector, Outcome } from '../../schemas/types.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Plan, planOf } from '../../topologies/plan.ts'
import { topicOf, writerOf } from '../../topologies/topics.ts'
import { compileExpression } from '../domain/feature/expression.ts'
import { nothingCarried, predictionEntry } from '../domain/outcome/entry.ts'
import { featureStages } from '../features/service.ts'
import { labelAndJoin } from '../outcomes/service.ts'
import { tidemarkError } from '../runtime/errors.ts'
import { type MemoryRecord, type MemoryRun, runInMemory } from '../runtime/in-memory.ts'
import { partitionOf } from '../runtime/kafka/partition.ts'
import { type HistoryRecord, readHistory } from './history.ts'

/** One row of a training set: a vector as it would have been served, and the label that came of it. */
export interface TrainingRow {
  readonly id: string
  readonly time: number
  readonly values: FeatureVector['values']
  readonly statuses: FeatureVector['statuses']
  readonly event: FeatureVector['event']
  readonly segments: Readonly<Record<string, string>>
  /** The last word on it, a correction within one more horizon included; null when none came. */
  readonly label: Outcome['label']
  readonly labelTime: number | null
}

export function backfillCommand(): Command {
  return new Command('backfill')
    .description('run the operators of a topology over history files, and write a training set as JSON lines')
    .argument('<topology>', 'the topology file, or its folder')
    .requiredOption('--from <folder>', 'holds <topic>.jsonl or <topic>.csv of every stream')
    .requiredOption('--out <file>', 'where the rows go, ordered by event time')
    .option('--until <time>', 'leave out scored events at or after this time, for example 2001-02-01')
    .action(async (path: string, options: { from: string; out: string; until?: string }) => {
      const { topology, hash } = await loadTopology(path, { models: 'optional' })
      const until = options.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(options.until)
      if (Number.isNaN(until)) throw tidemarkError('TM_USAGE', `--until takes a time, not ${options.until}`)
      const history = await readHistory(options.from, Object.values(topology.streams))
      const rows = backfill(topology, hash, history, until)
      await writeRows(options.out, rows)
      process.stderr.write(`${history.length} records in, ${rows.length} rows out\n`)
    })
}

async function writeRows(file: string, rows: readonly TrainingRow[]): Promise<void> {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`)
  try {
    await pipeline(Readable.from(lines), createWriteStream(file))
  } catch (error) {
    throw tidemarkError(
      'TM_USAGE',
      `${file} cannot be written: ${error instanceof Error ? error.message : error}`,
      error,
    )
  }
}

/** The same operators as online, over records in event-time order; labels are joined by the same rule. */
export function backfill(
  topology: Topology,
  hash: string,
  history: readonly HistoryRecord[],
  until: number,
): TrainingRow[] {
  const plan = planOf(topology)
  const vectors = new Map<string, FeatureVector>()
  const outcomes = new Map<string, Outcome>()
  const shared = { topology, hash, folder: '', bytes: null }
  const stages = [
    ...featureStages({ ...shared, plan: plan.services.features.stages }),
    ...labelAndJoin({ ...shared, plan: plan.services.outcomes.stages }),
  ]
  const carry = carrier(topology, plan)
  const run: MemoryRun = runInMemory(stages, (record) => {
    if (record.topic === topicOf(topology.name, 'features')) {
      const vector = record.value as unknown as FeatureVector
      vectors.set(vector.id, vector)
      run.inject(carry(vector, record.partition))
    } else if (record.topic === topicOf(topology.name, 'outcomes')) {
      const outcome = record.value as unknown as Outcome
      if (outcome.state !== 'orphan') outcomes.set(outcome.id, outcome)
    }
  })
  const last = until + topology.label.horizonMs
  for (const record of history) if (!(record.time >= last)) pushAll(run, plan, topology, record)
  run.end()
  const segments = segmentsOf(topology)
  return [...vectors.values()]
    .filter(({ time }) => time < until)
    .sort((left, right) => left.time - right.time || (left.id < right.id ? -1 : 1))
    .map((vector) => rowOf(vector, outcomes.get(vector.id), segments(vector.event)))
}

/** A stream may be read by two stages, for features and for labels; each gets the record. */
function pushAll(
  run: MemoryRun,
  plan: Plan,
  topology: Topology,
  { topic, id, time, value }: HistoryRecord,
): void {
  const partition = partitionOf(Buffer.from(id), topology.streams[topic]!.partitions)
  const record = { key: null, value: null, decoded: { ok: true, value } }
  for (const service of [plan.services.features, plan.services.outcomes]) {
    for (const stage of service.stages) {
      if (stage.inputs.some((input) => input.source && input.topic === topic)) {
        run.push(stage.id, { topic, partition, record, timestamp: time })
      }
    }
  }
}

/** What `carry` would have written of a prediction: the join needs to know that there was one. */
function carrier(topology: Topology, plan: Plan): (vector: FeatureVector, partition: number) => MemoryRecord {
  let index = 0
  const predictions = topicOf(topology.name, 'predictions')
  return ({ id, time, watermark }, partition) => {
    index += 1
    const origin = {
      writer: writerOf('carry', predictions, partition),
      incarnation: 0,
      offset: index,
      index,
      time: 0,
    }
    const entry = predictionEntry(id, time, { ...nothingCarried, predictionId: id })
    const topic = topicOf(topology.name, 'outcome-journal')
    return { topic, partition: partition % plan.partitions, key: id, value: { ...entry, origin, watermark } }
  }
}

function segmentsOf(topology: Topology): (event: FeatureVector['event']) => Record<string, string> {
  const compiled = Object.entries(topology.segments).map(
    ([name, of]) => [name, compileExpression(of)] as const,
  )
  return (event) => Object.fromEntries(compiled.map(([name, of]) => [name, String(of(event) ?? 'unknown')]))
}

function rowOf(
  vector: FeatureVector,
  outcome: Outcome | undefined,
  segments: Record<string, string>,
): TrainingRow {
  const { id, time, values, statuses, event } = vector
  const known = outcome !== undefined && outcome.labelTime !== null
  return {
    ...{ id, time, values, statuses, event, segments },
    label: known ? outcome.label : null,
    labelTime: known ? outcome.labelTime : null,
  }
}
