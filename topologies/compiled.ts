import type { Stream } from '../services/domain/event/contract.ts'
import type { Feature } from '../services/domain/feature/definition.ts'
import type { Expression } from '../services/domain/feature/expression.ts'

/** What every service runs on: a topology as plain data, with every duration in ms and every default filled in. */
export interface Topology {
  readonly format: 1
  readonly name: string
  readonly version: number
  readonly owner: string
  /** How far one source partition may run ahead of the slowest, in event time. */
  readonly alignmentMs: number
  /** What becomes of a late event of the scored stream. */
  readonly late: 'score' | 'drop'
  /** The topic whose events are scored. */
  readonly scored: string
  readonly streams: Readonly<Record<string, Stream>>
  readonly entities: Readonly<Record<string, Entity>>
  readonly features: Readonly<Record<string, Feature>>
  /** sha256 of what the features mean: owners and descriptions are left out of it. */
  readonly featureSet: string
  readonly label: Label
  /** Sorted by name; exactly one is the champion. */
  readonly models: readonly Model[]
  /** Each gives a string out of a bounded set, or null. */
  readonly segments: Readonly<Record<string, Expression>>
  /** Features whose values the prediction log may hold. */
  readonly log: readonly string[]
  readonly monitors: Monitors
}

export interface Entity {
  readonly pattern?: string
}

export interface Label {
  readonly name: string
  /** The topic that brings labels. */
  readonly stream: string
  readonly value: Expression
  /** The field of `stream` that holds the id of the scored event. */
  readonly id: string
  /** A prediction older than this (by the label stream's watermark) without a label has expired. */
  readonly horizonMs: number
  /** What no label within the horizon means. */
  readonly absence: 'unknown' | 'negative'
}

export type Fallback = { readonly rule: string } | { readonly constant: number }

export interface Model {
  readonly name: string
  readonly version: number
  readonly role: 'champion' | 'shadow'
  /** Relative to the topology's folder, as is `profile`. */
  readonly file: string
  /** Empty only in a topology that was loaded before its model existed. */
  readonly sha256: string
  readonly profile: string
  readonly profileSha256: string
  /** Feature names in the order of the model's input columns. */
  readonly inputs: readonly string[]
  readonly threshold: number
  readonly fallback: readonly Fallback[]
  readonly deadlineMs: number
}

export type Playbook =
  | 'retrain'
  | 'roll-back'
  | 'human-review'
  | 'tighten-thresholds'
  | 'fix-pipeline'
  | 'none'
export type Cause = 'drift' | 'harm' | 'concept' | 'coverage' | 'skew'

export interface Monitors {
  /** Length of one pane, aligned to the epoch, UTC. */
  readonly paneMs: number
  /** Length of a report's window: a whole number of panes. */
  readonly windowMs: number
  readonly metric: 'auc'
  /** Harm is a relative drop of the metric by more than this, for at least so long. */
  readonly tolerance: { readonly relativeDrop: number; readonly forMs: number }
  /** Features whose loss is a reason to wake somebody. */
  readonly critical: readonly string[]
  /** Smallest share of values that are neither missing, invalid nor defaults, as a part of the share in the reference. */
  readonly coverage: { readonly atLeast: number }
  /** A flag needs an effect in bits of Jensen–Shannon divergence, significance and rows. */
  readonly drift: { readonly effect: number; readonly alpha: number; readonly minRows: number }
  readonly playbooks: Readonly<Record<Cause, Playbook>>
}
