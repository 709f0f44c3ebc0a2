import { DefinitionError } from '../services/domain/definition-error.ts'
import type { Topology } from './compiled.ts'

/**
 * The one place where the name of a topic, group or transactional id is made, and where it is said how long a
 * topic keeps its records and what is in them.
 */

/** In the order in which records flow. */
export const serviceNames = ['features', 'predictions', 'outcomes', 'reports'] as const

export type ServiceName = (typeof serviceNames)[number]
export type Visibility = 'public' | 'internal' | 'user'
export type Compatibility = 'FULL_TRANSITIVE' | 'FULL'

/** A topic of Tidemark's own, apart from how many partitions it has. */
export interface TopicKind {
  readonly visibility: Exclude<Visibility, 'user'>
  /** Name of the record in `io.tidemark`. */
  readonly schema: string
  readonly cleanup: 'delete' | 'compact'
  readonly retentionMs: number
  /** Records of this topic may be watermark marks, which carry time where there is nothing to send. */
  readonly marks: boolean
  /** It repeats what source records hold, so it must take the largest of them with room to spare. */
  readonly holdsSource: boolean
}

export interface TopicSpec {
  readonly name: string
  /** `source` for a user's own topic. */
  readonly kind: TopicKindName | 'source'
  readonly partitions: number
  readonly visibility: Visibility
  /** Topic configuration as Kafka takes it: names and texts. A user's topic that exists keeps its own. */
  readonly configs: Readonly<Record<string, string>>
  /** Name of the record in `io.tidemark`; null when Tidemark registers no schema for it. */
  readonly schema: string | null
  readonly compatibility: Compatibility | null
}

export interface PlanOptions {
  /** The largest record that a source topic takes, in bytes; Kafka's own default unless told. */
  readonly sourceRecordBytes?: number
}

const dayMs = 86_400_000
const forever = -1

/** How long journals can be replayed. */
const replaySpanMs = 30 * dayMs

/** Kafka's default for `max.message.bytes`. */
const defaultRecordBytes = 1_048_588
/** What a dead letter or late record adds to the bytes that it repeats. */
const envelopeBytes = 65_536

/** Partitioned as the scored stream is. */
const keyedTopics = ['feature-parts', 'features', 'predictions', 'outcome-journal', 'outcomes'] as const
/** One partition: their records are few, or belong in one order. */
const lonelyTopics = [
  'panes',
  'drift',
  'coverage',
  'performance',
  'alerts',
  'late',
  'dead-letters',
  'topology',
  'control',
] as const

const published = { visibility: 'public', cleanup: 'delete', marks: false, holdsSource: false } as const
const internal = { visibility: 'internal', cleanup: 'delete', marks: true, holdsSource: false } as const
const table = { cleanup: 'compact', retentionMs: forever, marks: false, holdsSource: false } as const

export const topicKinds = {
  features: { ...published, schema: 'FeatureVector', retentionMs: 30 * dayMs, holdsSource: true },
  predictions: { ...published, schema: 'Prediction', retentionMs: 90 * dayMs, holdsSource: true },
  outcomes: { ...published, schema: 'Outcome', retentionMs: 90 * dayMs },
  drift: { ...published, schema: 'Drift', retentionMs: 365 * dayMs },
  coverage: { ...published, schema: 'Coverage', retentionMs: 365 * dayMs },
  performance: { ...published, schema: 'Performance', retentionMs: 365 * dayMs },
  alerts: { ...table, visibility: 'public', schema: 'Alert' },
  late: { ...published, schema: 'LateRecord', retentionMs: replaySpanMs, holdsSource: true },
  'dead-letters': { ...published, schema: 'DeadLetter', retentionMs: replaySpanMs, holdsSource: true },
  'entity-journal': { ...internal, schema: 'JournalEntry', retentionMs: replaySpanMs, holdsSource: true },
  'feature-parts': { ...internal, schema: 'FeaturePart', retentionMs: replaySpanMs, holdsSource: true },
  'outcome-journal': { ...internal, schema: 'OutcomeEntry', retentionMs: replaySpanMs },
  panes: { ...internal, schema: 'Pane', retentionMs: replaySpanMs },
  topology: { ...table, visibility: 'internal', schema: 'TopologyRecord' },
  control: { ...table, visibility: 'internal', schema: 'Control' },
  changelog: { ...table, visibility: 'internal', schema: 'ChangelogEntry', holdsSource: true },
} as const satisfies Record<string, TopicKind>

export type TopicKindName = keyof typeof topicKinds
/** Topics of which a topology has exactly one. */
export type SingleTopic = Exclude<TopicKindName, 'entity-journal' | 'changelog'>

/** `flight-delay`, `predictions` → `flight-delay.predictions`. */
export function topicOf(topology: string, noun: SingleTopic): string {
  return legal(`${topology}.${noun}`)
}

/** `flight-delay`, `airport` → `flight-delay.airport-journal`. */
export function journalOf(topology: string, entity: string): string {
  return legal(`${topology}.${entity}-journal`)
}

/** A stage together with the version of its topology, so that an old and a new one can run side by side. */
export function stageIdOf(stage: string, version: number): string {
  return `${stage}-v${version}`
}

/** `flight-delay`, `ingest-v1` → `flight-delay.ingest-v1-changelog`. */
export function changelogOf(topology: string, stageId: string): string {
  return legal(`${topology}.${stageId}-changelog`)
}

/** `flight-delay`, `ingest-v1`, 3 → `flight-delay.ingest-v1.3`. */
export function transactionalIdOf(topology: string, stageId: string, task: number): string {
  return `${topology}.${stageId}.${task}`
}

/** `flight-delay`, `features`, 1 → `flight-delay.features-v1`. */
export function groupOf(topology: string, service: ServiceName, version: number): string {
  return `${topology}.${service}-v${version}`
}

/** Who wrote a record: `ingest`, `flights.departures`, 2 → `ingest/flights.departures/2`. */
export function writerOf(stage: string, topic: string, partition: number): string {
  return `${stage}/${topic}/${partition}`
}

/** The writer of a user's topic, which tells Tidemark nothing about itself. */
export const sourceWriter = 'source'

/** Whether Kafka takes it as the name of a topic. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'
}

/** The topics of a topology, apart from its stages' changelogs: those of the user first. */
export function topicSpecs(
  { name, scored, streams }: Topology,
  entities: readonly string[],
  options: PlanOptions,
): readonly TopicSpec[] {
  const recordBytes = options.sourceRecordBytes ?? defaultRecordBytes
  const keyed = streams[scored]!.partitions
  const single = (noun: SingleTopic, partitions: number) =>
    ownSpec(topicOf(name, noun), noun, partitions, recordBytes)
  return [
    ...Object.values(streams).map((stream) => sourceSpec(stream.topic, stream.partitions, recordBytes)),
    ...entities.map((entity) => ownSpec(journalOf(name, entity), 'entity-journal', keyed, recordBytes)),
    ...keyedTopics.map((noun) => single(noun, keyed)),
    ...lonelyTopics.map((noun) => single(noun, 1)),
  ]
}

/** The compacted topic that holds the state of a stage's tasks, one partition each. */
export function changelogSpec(topic: string, partitions: number): TopicSpec {
  return ownSpec(topic, 'changelog', partitions, defaultRecordBytes)
}

function ownSpec(name: string, kind: TopicKindName, partitions: number, recordBytes: number): TopicSpec {
  const { visibility, schema, cleanup, retentionMs, holdsSource }: TopicKind = topicKinds[kind]
  const configs: Record<string, string> = {
    'cleanup.policy': cleanup,
    // A record's Kafka timestamp is when it was appended: retention must not read event time, which may be years old.
    'message.timestamp.type': 'LogAppendTime',
    'retention.ms': String(retentionMs),
  }
  if (holdsSource) configs['max.message.bytes'] = String(recordBytes + envelopeBytes)
  const compatibility = visibility === 'public' ? 'FULL_TRANSITIVE' : 'FULL'
  return { name, kind, partitions, visibility, configs, schema, compatibility }
}

function sourceSpec(name: string, partitions: number, recordBytes: number): TopicSpec {
  return {
    name,
    kind: 'source',
    partitions,
    visibility: 'user',
    configs: {
      'cleanup.policy': 'delete',
      'max.message.bytes': String(recordBytes),
      'message.timestamp.type': 'LogAppendTime',
    },
    schema: null,
    compatibility: null,
  }
}

function legal(topic: string): string {
  if (!isTopicName(topic)) throw new DefinitionError(`"${topic}" cannot be the name of a Kafka topic`)
  return topic
}
