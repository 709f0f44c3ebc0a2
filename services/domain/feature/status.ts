import type { Value } from '../event/contract.ts'
import type { Feature } from './definition.ts'
import type { FeatureStatus, Statuses, Values } from './records.ts'

export interface Reading {
  readonly name: string
  readonly value: Value
  readonly status: FeatureStatus
}

/** What else there is to know about a value besides itself. */
export interface Circumstance {
  /** The event was late: the windows may have moved on. */
  readonly stale?: boolean
  /** The event does not name the entity, or the part never came. */
  readonly absent?: boolean
  /** The windows are longer than what has been seen so far. */
  readonly warming?: boolean
}

/**
 * A feature's value and how it came about. Null, and a number that is not finite, give way to the declared default.
 * Of several statuses the first holds: stale, invalid (not finite), missing (no entity, or null without a default),
 * default, warming, value.
 */
export function readingOf(
  name: string,
  feature: Feature,
  computed: Value,
  circumstance: Circumstance,
): Reading {
  const invalid = typeof computed === 'number' && !Number.isFinite(computed)
  const known = invalid ? null : plain(computed)
  const value = known ?? feature.default
  if (circumstance.stale === true) return { name, value, status: 'stale' }
  if (invalid) return { name, value, status: 'invalid' }
  if (circumstance.absent === true || value === null) return { name, value, status: 'missing' }
  if (known === null) return { name, value, status: 'default' }
  return { name, value, status: circumstance.warming === true ? 'warming' : 'value' }
}

/** Minus zero is zero: the text in which a state is kept does not tell them apart, so a restored task would differ. */
export function plain(value: Value): Value {
  return value === 0 ? 0 : value
}

export function valuesOf(readings: readonly Reading[]): Values {
  return Object.fromEntries(readings.map(({ name, value }) => [name, value]))
}

export function statusesOf(readings: readonly Reading[]): Statuses {
  return Object.fromEntries(readings.map(({ name, status }) => [name, status]))
}

/** The features by name, in the order in which every record lists them. */
export function sortedFeatures(features: Readonly<Record<string, Feature>>): readonly [string, Feature][] {
  return Object.entries(features).sort(([left], [right]) => (left < right ? -1 : 1))
}
