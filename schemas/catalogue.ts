import { selfContainedSchemas } from './generated/self-contained.ts'
import type { RecordSchema } from './schema.ts'
import type {
  Alert,
  ChangelogEntry,
  Checkpoint,
  Control,
  Coverage,
  DeadLetter,
  Drift,
  FeaturePart,
  FeatureVector,
  JournalEntry,
  LateRecord,
  Outcome,
  OutcomeEntry,
  Pane,
  Performance,
  Prediction,
  TopologyRecord,
} from './types.ts'

/** The type of each record by its name. */
export interface Records {
  JournalEntry: JournalEntry
  FeaturePart: FeaturePart
  FeatureVector: FeatureVector
  Prediction: Prediction
  OutcomeEntry: OutcomeEntry
  Outcome: Outcome
  Pane: Pane
  Drift: Drift
  Coverage: Coverage
  Performance: Performance
  Alert: Alert
  LateRecord: LateRecord
  DeadLetter: DeadLetter
  ChangelogEntry: ChangelogEntry
  Checkpoint: Checkpoint
  Control: Control
  TopologyRecord: TopologyRecord
}

export type RecordName = keyof Records

/**
 * How a subject's schema may change. FULL: each version and the next read each other, which is what a rolling upgrade
 * and its rollback need. FULL_TRANSITIVE: every version and every other, which is what strangers and old records need.
 */
export type Compatibility = 'FULL_TRANSITIVE' | 'FULL'

export interface CatalogueEntry {
  /** The whole schema, shared types included. */
  readonly schema: RecordSchema
  readonly compatibility: Compatibility
}

/** Every record that Tidemark writes: its schema and how it may change. Checkpoints travel inside changelog entries. */
export const catalogue: Readonly<Record<RecordName, CatalogueEntry>> = {
  JournalEntry: internal('JournalEntry'),
  FeaturePart: internal('FeaturePart'),
  FeatureVector: open('FeatureVector'),
  Prediction: open('Prediction'),
  OutcomeEntry: internal('OutcomeEntry'),
  Outcome: open('Outcome'),
  Pane: internal('Pane'),
  Drift: open('Drift'),
  Coverage: open('Coverage'),
  Performance: open('Performance'),
  Alert: open('Alert'),
  LateRecord: open('LateRecord'),
  DeadLetter: open('DeadLetter'),
  ChangelogEntry: internal('ChangelogEntry'),
  Checkpoint: internal('Checkpoint'),
  Control: internal('Control'),
  TopologyRecord: internal('TopologyRecord'),
}

export const recordNames = Object.keys(catalogue) as readonly RecordName[]

/** The whole schema of a record. @throws when there is no such record */
export function selfContained(name: string): RecordSchema {
  if (!isRecordName(name)) throw new Error(`There is no record ${name}`)
  return catalogue[name].schema
}

export function isRecordName(name: string): name is RecordName {
  return Object.hasOwn(catalogue, name)
}

/** The registry's subject for the values of a topic (TopicNameStrategy). */
export function valueSubject(topic: string): string {
  return `${topic}-value`
}

/** Read by anybody. */
function open(name: RecordName): CatalogueEntry {
  return { schema: selfContainedSchemas[name], compatibility: 'FULL_TRANSITIVE' }
}

/** Read by Tidemark alone. */
function internal(name: RecordName): CatalogueEntry {
  return { schema: selfContainedSchemas[name], compatibility: 'FULL' }
}
