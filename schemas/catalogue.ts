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
  'journal-entry': JournalEntry
  'feature-part': FeaturePart
  'feature-vector': FeatureVector
  prediction: Prediction
  'outcome-entry': OutcomeEntry
  outcome: Outcome
  pane: Pane
  drift: Drift
  coverage: Coverage
  performance: Performance
  alert: Alert
  'late-record': LateRecord
  'dead-letter': DeadLetter
  'changelog-entry': ChangelogEntry
  checkpoint: Checkpoint
  control: Control
  'topology-record': TopologyRecord
}

export type RecordName = keyof Records

/**
 * How a subject's schema may change. FULL_TRANSITIVE: every version reads every other. BACKWARD_TRANSITIVE:
 * a newer version reads every older one; enough where Tidemark alone reads, because it upgrades readers first.
 */
export type Compatibility = 'FULL_TRANSITIVE' | 'BACKWARD_TRANSITIVE'

export interface CatalogueEntry {
  /** The whole schema, shared types included. */
  readonly schema: RecordSchema
  readonly compatibility: Compatibility
}

/** Every record that Tidemark writes: its schema and how it may change. Checkpoints travel inside changelog entries. */
export const catalogue: Readonly<Record<RecordName, CatalogueEntry>> = {
  'journal-entry': internal('journal-entry'),
  'feature-part': internal('feature-part'),
  'feature-vector': open('feature-vector'),
  prediction: open('prediction'),
  'outcome-entry': internal('outcome-entry'),
  outcome: open('outcome'),
  pane: internal('pane'),
  drift: open('drift'),
  coverage: open('coverage'),
  performance: open('performance'),
  alert: open('alert'),
  'late-record': open('late-record'),
  'dead-letter': open('dead-letter'),
  'changelog-entry': internal('changelog-entry'),
  checkpoint: internal('checkpoint'),
  control: internal('control'),
  'topology-record': open('topology-record'),
}

export const recordNames = Object.keys(catalogue) as readonly RecordName[]

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
  return { schema: selfContainedSchemas[name], compatibility: 'BACKWARD_TRANSITIVE' }
}
