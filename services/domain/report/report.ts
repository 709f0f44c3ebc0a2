import type { Emission } from '../operator.ts'
import type { FalseDiscoveryRule } from './false-discovery.ts'
import type { ReferenceProfile } from './profile.ts'

export interface MonitoredModel {
  readonly name: string
  readonly version: number
  readonly profile: ReferenceProfile
  /** Hash of the profile's JSON, as predictions carry it. */
  readonly profileHash: string
}

/** What the reports are to judge. Everything here is a value of the applied topology. */
export interface MonitorDefinition {
  readonly topology: string
  readonly owner: string
  readonly paneMs: number
  readonly windowMs: number
  /** How long a reported window is kept, so that late panes can revise it. */
  readonly retainMs: number
  readonly models: readonly MonitoredModel[]
  /** The scored stream and the stream of labels: the sources whose accepted records are known. */
  readonly scored: string
  readonly labels: string
  /** Features whose coverage pages. */
  readonly critical: readonly string[]
  readonly coverageAtLeast: number
  readonly minRows: number
  readonly drift: { readonly effectBits: number; readonly alpha: number; readonly rule: FalseDiscoveryRule }
  /** How much of the baseline AUC may be lost: 0.05 is five per cent of it. */
  readonly relativeDrop: number
  /** For how long the loss must last before it pages: a whole number of windows, rounded up. */
  readonly lossForMs: number
  /** What to do about each cause. */
  readonly playbooks: Readonly<Record<'coverage' | 'harm' | 'drift', Playbook>>
  /** Least share of predictions with a label for a realised result. */
  readonly labelCompleteness: number
}

export type Playbook =
  | 'none'
  | 'retrain'
  | 'rollback'
  | 'human_review'
  | 'tighten_thresholds'
  | 'fix_pipeline'
  | 'recalibrate'

export type ReportStatus = 'ok' | 'insufficient_data' | 'provisional' | 'invalid'

/** The beginning that all reports share. */
export interface Envelope {
  readonly reportId: string
  readonly topology: string
  readonly model: string
  readonly modelVersion: number
  readonly reference: string
  readonly segment: string
  readonly window: { readonly start: number; readonly end: number; readonly kind: string }
  readonly revision: number
  readonly final: boolean
  readonly n: number
  readonly status: ReportStatus
}

/** The window under report. */
export interface Occasion {
  readonly definition: MonitorDefinition
  readonly start: number
  readonly end: number
  readonly revision: number
  /** False when the stream began or ended inside the window: then its rhythm is not the reference's. */
  readonly whole: boolean
}

export interface EnvelopeParts {
  readonly kind: 'drift' | 'coverage' | 'performance' | 'alert'
  /** The feature, the metric or the alert. */
  readonly subject: string
  readonly segment: string
  readonly n: number
  readonly status: ReportStatus
  readonly model: Pick<MonitoredModel, 'name' | 'version' | 'profileHash'>
}

/** Not a model: reports about sources have none. */
export const noModel = { name: '', version: 0, profileHash: '' }

/**
 * The envelope of a report. Its id is spelt from what the report is about, so the same inputs always give the
 * same id, and a person can read it.
 */
export const envelope = (occasion: Occasion, parts: EnvelopeParts): Envelope => {
  const { definition, start, end, revision } = occasion
  const { kind, subject, segment, n, status, model } = parts
  const names = [definition.topology, kind, `${model.name}@${model.version}`, subject, segment]
  const id = [...names.map(encodeURIComponent), model.profileHash.slice(0, 12), start, end, `r${revision}`]
  return {
    reportId: id.join('/'),
    topology: definition.topology,
    model: model.name,
    modelVersion: model.version,
    reference: model.profileHash,
    segment,
    window: { start, end, kind: 'tumbling' },
    revision,
    final: true,
    n,
    status,
  }
}

export const emission = (to: string, value: Envelope): Emission => ({
  to,
  key: value.reportId,
  value: { ...value },
})
