import type { Value } from '../event/contract.ts'
import type { FeatureStatus } from '../feature/records.ts'
import type { EventTime } from '../operator.ts'

/** A feature vector as the features service published it: what a prediction is made from. */
export interface FeatureVector {
  readonly id: string
  readonly time: EventTime
  readonly late: boolean
  /** Hash of the feature set that computed it. */
  readonly featureSet: string
  readonly values: Readonly<Record<string, Value>>
  readonly statuses: Readonly<Record<string, FeatureStatus>>
  /** The contracted fields of the event. */
  readonly event: Readonly<Record<string, Value>>
}

/** The value of a feature, and `missing` for one that the vector does not hold. Names like `toString` are safe. */
export function featureOf(vector: FeatureVector, name: string): { value: Value; status: FeatureStatus } {
  const value = Object.hasOwn(vector.values, name) ? (vector.values[name] ?? null) : null
  const status = Object.hasOwn(vector.statuses, name) ? vector.statuses[name] : undefined
  return { value, status: status ?? (value === null ? 'missing' : 'value') }
}
