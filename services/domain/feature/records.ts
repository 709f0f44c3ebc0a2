import type { Value } from '../event/contract.ts'
import type { Emission, EventTime } from '../operator.ts'

/** How a feature's value came about. */
export type FeatureStatus = 'value' | 'default' | 'missing' | 'invalid' | 'stale' | 'warming' | 'approximate'

export type Values = Readonly<Record<string, Value>>
export type Statuses = Readonly<Record<string, FeatureStatus>>

/** An accepted event, once per role: what `ingest` writes to the journal of the role's entity. */
export interface JournalRecord {
  readonly stream: string
  /** The field that names the entity: the role. */
  readonly field: string
  /** The entity key. */
  readonly key: string
  readonly id: string
  readonly time: EventTime
  /** A late event only reads. */
  readonly late: boolean
  readonly values: Values
}

/** What one entity key, or the event itself, contributes to a feature vector. */
export interface PartRecord {
  readonly id: string
  /** `own`, or the field that names the entity. */
  readonly part: string
  /** All parts that will come, `own` first. Only the own part has it; it is empty in all others. */
  readonly parts: readonly string[]
  readonly time: EventTime
  readonly late: boolean
  readonly values: Values
  readonly statuses: Statuses
  /** The event's fields; only in the own part. */
  readonly event: Values
}

export function partEmission(part: PartRecord): Emission {
  return { to: 'parts', key: part.id, value: { kind: 'part', ...part } }
}
