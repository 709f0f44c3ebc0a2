import { type Composition, plannedStage } from '../composition.ts'
import type { SourceRecord } from '../domain/event/accept.ts'
import { checkEvent, type Stream } from '../domain/event/contract.ts'
import { assemble } from '../domain/feature/assemble.ts'
import { entity } from '../domain/feature/entity.ts'
import { ingest } from '../domain/feature/ingest.ts'
import type { JournalRecord, PartRecord } from '../domain/feature/records.ts'
import type { EventTime } from '../domain/operator.ts'
import { slackMs } from '../domain/window/retention.ts'
import { readInternal, readSource } from '../runtime/read.ts'
import { type Stage, writersOf } from '../runtime/stage.ts'

export async function features(composition: Composition): Promise<Stage[]> {
  return featureStages(composition)
}

/** ingest → one entity stage per entity → assemble; without a way to bytes they run in memory only. */
export function featureStages(composition: Composition): Stage[] {
  const entities = composition.plan.filter(({ entity }) => entity !== null)
  return [
    ingestStage(composition),
    ...entities.map(({ name, entity }) => entityStage(composition, name, entity!)),
    assembleStage(composition),
  ]
}

function ingestStage(composition: Composition): Stage<SourceRecord> {
  const { topology, bytes } = composition
  const planned = plannedStage(composition, 'ingest')
  const idleMs = Math.min(...planned.inputs.map(({ topic }) => topology.streams[topic]!.idleMs))
  const outputs = Object.entries(planned.outputs).map(([name, output]) => {
    const entity = /^(.*)-journal$/.exec(name)?.[1]
    return [entity === undefined ? name : `journal:${entity}`, output] as const
  })
  return {
    ...planned,
    outputs: Object.fromEntries(outputs),
    idleMs,
    delayMs: 0,
    timekeepers: () => [],
    operator: (topic) => ingest({ topic, ...topology }),
    eventTime: (topic, record, timestamp) => eventTimeOf(topology.streams[topic]!, record, timestamp),
    read: readSource(bytes, planned.inputs),
  }
}

/** Alignment needs a time only, not a verdict: what will be refused waits for nobody, least of all for the far future. */
function eventTimeOf(stream: Stream, { decoded }: SourceRecord, timestamp: number): EventTime | undefined {
  const checked = decoded.ok ? checkEvent(stream, decoded.value) : undefined
  return checked?.ok && checked.time <= timestamp + stream.maxAheadMs ? checked.time : undefined
}

function entityStage(composition: Composition, stage: string, name: string): Stage<JournalRecord> {
  const { topology, bytes } = composition
  return {
    ...plannedStage(composition, stage),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    timekeepers: writersOf,
    operator: () => entity({ entity: name, ...topology }),
    read: readInternal(bytes, 'JournalEntry'),
  }
}

function assembleStage(composition: Composition): Stage<PartRecord> {
  const { topology, hash, bytes } = composition
  const { name, featureSet, scored, features: defined, streams, alignmentMs } = topology
  const waitMs = 2 * slackMs(streams, alignmentMs)
  const rememberMs = streams[scored]!.dedupeMs
  return {
    ...plannedStage(composition, 'assemble'),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    timekeepers: writersOf,
    operator: () =>
      assemble({
        topology: name,
        topologyHash: hash,
        featureSet,
        scored,
        features: defined,
        waitMs,
        rememberMs,
      }),
    read: readInternal(bytes, 'FeaturePart'),
  }
}
