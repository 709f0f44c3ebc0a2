import type { Value } from '../event/contract.ts'
import type { Expression } from './expression.ts'

export type AggregateName = 'count' | 'sum' | 'mean' | 'share' | 'min' | 'max' | 'last'

/** As of time t it covers (t − sizeMs, t]. */
export interface TrailingWindow {
  readonly kind: 'trailing'
  readonly sizeMs: number
}

/** What is known about an entity's recent events: defined once, read wherever an event meets that entity. */
export interface Quantity {
  readonly aggregate: AggregateName
  /** The topic whose events are aggregated. */
  readonly stream: string
  /** What is aggregated; null for a count. A share takes a predicate. */
  readonly of: Expression | null
  /** The field of `stream` that names the entity. */
  readonly by: string
  readonly entity: string
  readonly window: TrailingWindow
  /** Whether the event being scored counts itself, when it is an event of `stream`. */
  readonly self: 'include' | 'exclude'
}

export interface FeatureOf {
  readonly type: 'number' | 'string' | 'boolean'
  /** What replaces null; null when nothing does. */
  readonly default: Value
  readonly owner: string
  readonly version: number
  readonly description: string
}

export interface AggregateFeature extends FeatureOf {
  readonly kind: 'aggregate'
  readonly quantity: Quantity
  /** The field of the scored stream where it meets the entity: the role. */
  readonly at: string
}

export interface ExpressionFeature extends FeatureOf {
  readonly kind: 'expression'
  readonly of: Expression
}

export type Feature = AggregateFeature | ExpressionFeature

/** A field of a stream whose value names an entity: an event goes to that entity's journal once per role. */
export interface Role {
  readonly stream: string
  readonly field: string
  readonly entity: string
  /** Its events change windows. */
  readonly updates: boolean
  /** Its events read windows: only roles of the scored stream do. */
  readonly reads: boolean
}

/** Every role that the features use, sorted by entity, stream and field. */
export function rolesOf(features: Readonly<Record<string, Feature>>, scored: string): readonly Role[] {
  const roles = new Map<string, Role>()
  const note = (role: Role) => {
    const key = JSON.stringify([role.entity, role.stream, role.field])
    const known = roles.get(key)
    const updates = role.updates || known?.updates === true
    roles.set(key, { ...role, updates, reads: role.reads || known?.reads === true })
  }
  for (const feature of Object.values(features)) {
    if (feature.kind !== 'aggregate') continue
    const { stream, by, entity } = feature.quantity
    note({ stream, field: by, entity, updates: true, reads: false })
    note({ stream: scored, field: feature.at, entity, updates: false, reads: true })
  }
  return [...roles].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, role]) => role)
}
