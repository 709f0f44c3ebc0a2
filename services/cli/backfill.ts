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
import { localRegistry } from '../runtime/codec/local-registry.ts'
import { avroWire } from '../runtime/codec/wire.ts'
import { tidemarkError } from '../runtime/errors.ts'
import { type MemoryRun, openMemoryRun } from '../runtime/in-memory.ts'
import { partitionOf } from '../runtime/kafka/partition.ts'
import type { Wire } from '../runtime/wire.ts'
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
      const rows = await backfill(topology, hash, history, until)
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

/** The same stages as online, over records in event-time order; labels are joined by the same rule. */
export async function backfill(
  topology: Topology,
  hash: string,
  history: readonly HistoryRecord[],
  until: number,
): Promise<TrainingRow[]> {
  const plan = planOf(topology)
  const { run, wire } = await openRun(topology, hash, plan)
  const vectors = new Map<string, FeatureVector>()
  const outcomes = new Map<string, Outcome>()
  const carry = carrier(topology, plan, wire)
  /** What has come out since the last time; nobody needs it again. */
  const collect = async () => {
    const places = Array.from({ length: plan.partitions }, (_, partition) => partition)
    for (const partition of places) {
      for (const vector of take<FeatureVector>(run, wire, topology, 'features', partition)) {
        vectors.set(vector.id, vector)
        const { topic, record } = carry(vector, partition)
        await run.append(topic, partition, [record], run.nowMs)
      }
    }
    for (const partition of places)
      for (const outcome of take<Outcome>(run, wire, topology, 'outcomes', partition))
        if (outcome.state !== 'orphan') outcomes.set(outcome.id, outcome)
    run.log.clear()
  }
  const last = until + topology.label.horizonMs
  for (const { topic, id, time, value } of history) {
    if (time >= last) continue
    const partition = partitionOf(Buffer.from(id), topology.streams[topic]!.partitions)
    const record = { key: Buffer.from(id), value: Buffer.from(JSON.stringify(value)) }
    await run.append(topic, partition, [record], Number.isNaN(time) ? run.nowMs : time)
    await collect()
  }
  await run.finish()
  await collect()
  const segments = segmentsOf(topology)
  return [...vectors.values()]
    .filter(({ time }) => time < until)
    .sort((left, right) => left.time - right.time || (left.id < right.id ? -1 : 1))
    .map((vector) => rowOf(vector, outcomes.get(vector.id), segments(vector.event)))
}

/** Features, labels and their join; no model is there yet, so nothing is scored. */
async function openRun(topology: Topology, hash: string, plan: Plan) {
  const registry = localRegistry()
  const wire = await avroWire(registry, plan.topics)
  const shared = { topology, hash, folder: '', bytes: { wire, registry } }
  const run = await openMemoryRun({
    wire,
    topologyHash: hash,
    controlTopic: topicOf(topology.name, 'control'),
    stages: [
      ...featureStages({ ...shared, plan: plan.services.features.stages }),
      ...labelAndJoin({ ...shared, plan: plan.services.outcomes.stages }),
    ],
    commitEvery: Number.POSITIVE_INFINITY,
  })
  return { run, wire }
}

const schemas = { features: 'FeatureVector', outcomes: 'Outcome' } as const

function take<T>(
  { log }: MemoryRun,
  wire: Wire,
  { name }: Topology,
  noun: keyof typeof schemas,
  partition: number,
): T[] {
  const records = log.read({ topic: topicOf(name, noun), partition }, 0, Number.POSITIVE_INFINITY)
  return records.map(({ value }) => wire.decode(schemas[noun], value!) as T)
}

/** What `carry` would have written of a prediction: the join needs to know that there was one. */
function carrier(topology: Topology, plan: Plan, wire: Wire) {
  let index = 0
  const topic = topicOf(topology.name, 'outcome-journal')
  const predictions = topicOf(topology.name, 'predictions')
  return ({ id, time, watermark }: FeatureVector, partition: number) => {
    index += 1
    const writer = writerOf('carry', predictions, partition % plan.partitions)
    const origin = { writer, incarnation: 1, offset: index, index, time: 0 }
    const entry = predictionEntry(id, time, { ...nothingCarried, predictionId: id })
    const value = wire.encode('OutcomeEntry', { ...entry, origin, watermark }, topic)
    return { topic, record: { key: Buffer.from(id), value } }
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
