import type { Cause, Playbook } from './compiled.ts'
import type { Duration } from './duration.ts'
import { type EventData, type EventMeta, eventData } from './events.ts'
import type { Expr, FieldOf } from './expressions.ts'
import type { FeatureSet, Features } from './feature-sets.ts'

export const topologyData: unique symbol = Symbol.for('tidemark.topology')

export type Fallback<Names extends string> = { readonly rule: Names } | { readonly constant: number }

export interface ModelDefinition<Names extends string = string> {
  readonly name: string
  readonly version: number
  /** `champion` unless told; a topology has one. */
  readonly role?: 'champion' | 'shadow'
  /** The ONNX file, relative to the topology's folder. */
  readonly file: string
  /** Left out when the `manifest.json` beside the file says it. */
  readonly sha256?: string
  /** The reference profile, relative to the topology's folder. */
  readonly profile: string
  readonly profileSha256?: string
  /** Features in the order of the model's input columns. */
  readonly inputs: readonly Names[]
  /** A score at or above it is a positive decision. */
  readonly threshold: number
  /** What answers when the model cannot: tried in order, the last one a constant. */
  readonly fallback: readonly Fallback<Names>[]
  readonly deadline: Duration
}

export interface LabelDefinition<Scored extends string, Stream extends string, Names extends PropertyKey> {
  readonly name: string
  readonly from: EventMeta<Stream>
  readonly value: Expr<NoInfer<Stream>, 'boolean' | 'number'>
  /** One field of the label's stream and the scored event's id that it holds. */
  readonly joins: { readonly [Name in Names]: FieldOf<NoInfer<Scored>, string | null> }
  readonly horizon: Duration
  /** What no label within the horizon means; `unknown` unless told. */
  readonly absence?: 'unknown' | 'negative'
}

export interface MonitorsDefinition<Names extends string = string> {
  /** Length of one pane; a day unless told. */
  readonly pane?: Duration
  /** Length of a report's window; a week unless told. */
  readonly window?: Duration
  readonly metric: 'auc'
  readonly tolerance: { readonly relativeDrop: number; readonly for: Duration }
  readonly critical: readonly Names[]
  /** `atLeast`: how much of the share that a critical feature had in training must be there; 0.95 of 0.8 is 0.76. */
  readonly coverage: { readonly atLeast: number }
  /** 0.02 bits, 0.01 and 500 rows unless told. */
  readonly drift?: { readonly effect?: number; readonly alpha?: number; readonly minRows?: number }
  readonly playbooks: Readonly<Record<'harm', Playbook>> & { readonly [Other in Cause]?: Playbook }
}

type FeaturesInput<Topic extends string> =
  | Features<Topic>
  | FeatureSet<Topic, string>
  | readonly (FeatureSet<Topic, string> | Features<Topic>)[]

type NamesOfOne<Input> =
  Input extends FeatureSet<string, infer Names>
    ? Names
    : Input extends Features<string>
      ? keyof Input & string
      : never

/** Every feature that a topology's `features` declare. */
export type FeatureNames<Input> = Input extends readonly unknown[]
  ? NamesOfOne<Input[number]>
  : NamesOfOne<Input>

interface OneModel<Names extends string> {
  readonly model: ModelDefinition<Names>
  readonly models?: never
}

interface SeveralModels<Names extends string> {
  readonly models: readonly ModelDefinition<Names>[]
  readonly model?: never
}

export type TopologyOptions<
  Scored extends string,
  Label extends EventMeta<string>,
  Joined extends string,
  Input,
> = {
  readonly version: number
  readonly owner: string
  /** The stream whose events are scored. */
  readonly score: EventMeta<Scored>
  readonly features: Input
  readonly label: LabelDefinition<Scored, Label[typeof eventData]['topic'], Joined> & {
    readonly from: Label
  }
  /** Strings out of a bounded set by which reports are split. */
  readonly segments?: Readonly<Record<string, Expr<NoInfer<Scored>, 'string'>>>
  readonly monitors: MonitorsDefinition<FeatureNames<Input>>
  /** Features whose values the prediction log may hold; none unless told. */
  readonly log?: readonly FeatureNames<Input>[]
  /** How far one source partition may run ahead of the slowest when catching up; a minute unless told. */
  readonly alignment?: Duration
  /** What becomes of a late event of the scored stream; `score` unless told. */
  readonly late?: 'score' | 'drop'
} & (OneModel<FeatureNames<Input>> | SeveralModels<FeatureNames<Input>>)

/** A topology as its author wrote it: checked by types, not yet compiled. */
export interface TopologyDefinition {
  readonly [topologyData]: TopologyData
}

/** The same without the types that tie its parts together. */
export interface TopologyData {
  readonly name: string
  readonly version: number
  readonly owner: string
  readonly scored: EventData
  readonly features: readonly (FeatureSet<string, string> | Features<string>)[]
  readonly label: Omit<LabelDefinition<string, string, string>, 'from'> & { readonly from: EventData }
  readonly models: readonly ModelDefinition[]
  readonly segments: Readonly<Record<string, Expr<string, 'string'>>>
  readonly monitors: MonitorsDefinition
  readonly log: readonly string[]
  readonly alignment: string
  readonly late: 'score' | 'drop'
}

/** Declares a whole product, from contract to alerts. It is what a topology file exports by default. */
export function topology<
  const Scored extends string,
  const Label extends EventMeta<string>,
  const Joined extends keyof Label & string,
  const Input extends FeaturesInput<NoInfer<Scored>>,
>(name: string, options: TopologyOptions<Scored, Label, Joined, Input>): TopologyDefinition {
  const {
    version,
    owner,
    score,
    label,
    segments = {},
    monitors,
    log = [],
    alignment = '1m',
    late = 'score',
  } = options
  const features = (
    Array.isArray(options.features) ? options.features : [options.features]
  ) as TopologyData['features']
  const models: readonly ModelDefinition[] = options.models ?? [options.model]
  const data: TopologyData = {
    name,
    version,
    owner,
    scored: score[eventData],
    features,
    label: { ...label, from: label.from[eventData] },
    models,
    segments,
    monitors,
    log,
    alignment,
    late,
  }
  return Object.freeze({ [topologyData]: data })
}
