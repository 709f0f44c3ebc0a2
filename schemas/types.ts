// Made by `node schemas/generate.ts` from the .avsc files. Do not edit.

/** A contracted field or a feature: null is a value that is not there. */
export type Value = null | boolean | number | string

/** What a stage gives of a record: the runtime adds the rest. */
export type Draft<T> = Omit<T, 'origin' | 'watermark' | 'runtime'>

/** ok, pending (bad, not yet long enough), firing, resolving (good, not yet long enough). One newer than the reader is read as pending. */
export type AlertState = 'ok' | 'pending' | 'firing' | 'resolving'

/** info: for the record; warn: look in working hours; page: now. One newer than the reader is read as warn. */
export type Severity = 'info' | 'warn' | 'page'

/** What is held to be the cause. One newer than the reader is read as undecided. */
export type AlertVerdict =
  | 'none'
  | 'benign_shift'
  | 'probable_harm'
  | 'covariate_harm'
  | 'concept_drift'
  | 'label_shift'
  | 'pipeline_fault'
  | 'extrapolation'
  | 'insufficient_data'
  | 'undecided'

/** What to do. One newer than the reader is read as human_review. */
export type Playbook =
  | 'none'
  | 'retrain'
  | 'rollback'
  | 'human_review'
  | 'tighten_thresholds'
  | 'fix_pipeline'
  | 'recalibrate'

/** What it costs. */
export interface Impact {
  /** The metric that moved. */
  readonly metric: string
  /** Change against the baseline, in the metric's unit; negative is lower. */
  readonly delta: number
  /** Lower end of the 95 % interval of the change. */
  readonly lo: number | null
  /** Upper end of the 95 % interval of the change. */
  readonly hi: number | null
  /** What the change rests on. */
  readonly basis: PerformanceBasis
}

/** A change of state of one alert. Public: topic <topology>.alerts, key alert key, compacted: the last one is the state. */
export interface Alert {
  /** Name of the report, spelt from what it is about: topology, kind, model@version, subject and segment (each URL-encoded), 12 digits of the reference's hash, window start and end, r and revision; joined by /. */
  readonly reportId: string
  /** Name of the topology. */
  readonly topology: string
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** Hash of the reference profile, hex. */
  readonly reference: string
  /** Segment as name=value; empty for all. */
  readonly segment: string
  /** The event time it is about. */
  readonly window: ReportWindow
  /** 0 at first; one more for each later report on the same window. */
  readonly revision: number
  /** Whether no later revision is to be expected. */
  readonly final: boolean
  /** Rows that it rests on. */
  readonly n: number
  /** What it may be used for. */
  readonly status: ReportStatus
  /** Name of the alert: what it watches, not when. */
  readonly alertKey: string
  /** State from now on. */
  readonly state: AlertState
  /** State until now. */
  readonly previousState: AlertState
  /** How urgent. */
  readonly severity: Severity
  /** What is held to be the cause. */
  readonly verdict: AlertVerdict
  /** What to do. */
  readonly playbook: Playbook
  /** Who is to do it, as the topology names them. */
  readonly owner: string
  /** Report ids that it rests on. */
  readonly evidence: readonly string[]
  /** What it costs; null when not known. */
  readonly impact: Impact | null
  /** Event time in ms (epoch) of the end of the window that opened it; null when it is not open. */
  readonly openedAt: number | null
  /** Alert key of the root cause that makes this one silent. */
  readonly suppressedBy: string | null
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** A change of a task's state: a value under the record's key, or the checkpoint. Internal: topic <topology>.<stage>-changelog, key state key, compacted. */
export interface ChangelogEntry {
  /** The new value of the state key, as the store holds it. */
  readonly value: Uint8Array | null
  /** Where the task stands; null in an entry that changes a state key. */
  readonly checkpoint: Checkpoint | null
}

/** The last record seen of one upstream writer. */
export interface UpstreamPosition {
  /** The upstream task, as in Origin. */
  readonly writer: string
  /** Its incarnation. */
  readonly incarnation: number
  /** Offset in its input of what caused the last record. */
  readonly offset: number
  /** Index of the last record seen of it. */
  readonly index: number
  /** Its watermark in ms (epoch). */
  readonly watermark: number
  /** Whether it is left out of the minimum. */
  readonly idle: boolean
}

/** The books since the beginning: in = applied + late + duplicate + deadLettered. */
export interface CheckpointCounts {
  /** Records read. */
  readonly in: number
  /** Records applied. */
  readonly applied: number
  /** Records set aside as late. */
  readonly late: number
  /** Records dropped as seen before. */
  readonly duplicate: number
  /** Records that went to dead letters. */
  readonly deadLettered: number
}

/** Where a task stands, written in the same transaction as its outputs: the authority on its position. Internal. */
export interface Checkpoint {
  /** Offset of the next input record. */
  readonly position: number
  /** Watermark of the task in ms (epoch). */
  readonly watermark: number
  /** The last record seen of each upstream writer, sorted by writer. */
  readonly upstreams: readonly UpstreamPosition[]
  /** sha256 of the compiled topology that the state belongs to, hex. */
  readonly topologyHash: string
  /** Which life of this task's state. */
  readonly incarnation: number
  /** Index of the last record that it wrote; the first has 1. */
  readonly index: number
  /** The books. */
  readonly counts: CheckpointCounts
  /** Whether the input has ended and all of it is done. */
  readonly ended: boolean
}

/** How far it has written into one partition. */
export interface OutputEnd {
  /** Output topic. */
  readonly topic: string
  /** Output partition. */
  readonly partition: number
  /** Offset after its last record there. */
  readonly offset: number
}

/** Where a writer stands in event time: lets readers go on when it has nothing to send, and proves the end of an input from positions. Internal: topic <topology>.control, key writer and topic, compacted. */
export interface Control {
  /** The task, as in Origin. */
  readonly writer: string
  /** The topic it speaks about. */
  readonly topic: string
  /** Watermark in ms (epoch). */
  readonly watermark: number
  /** Whether its input is quiet, so that it is to be left out of the minimum. */
  readonly idle: boolean
  /** Whether its input has ended and all of it is done. */
  readonly ended: boolean
  /** How far it has written into each output partition. */
  readonly outputs: readonly OutputEnd[]
  /** Wall-clock time of writing in ms (epoch). */
  readonly at: number
}

/** How much of the input the model could use as it was trained to. Public: topic <topology>.coverage, key report id. */
export interface Coverage {
  /** Name of the report, spelt from what it is about: topology, kind, model@version, subject and segment (each URL-encoded), 12 digits of the reference's hash, window start and end, r and revision; joined by /. */
  readonly reportId: string
  /** Name of the topology. */
  readonly topology: string
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** Hash of the reference profile, hex. */
  readonly reference: string
  /** Segment as name=value; empty for all. */
  readonly segment: string
  /** The event time it is about. */
  readonly window: ReportWindow
  /** 0 at first; one more for each later report on the same window. */
  readonly revision: number
  /** Whether no later revision is to be expected. */
  readonly final: boolean
  /** Rows that it rests on. */
  readonly n: number
  /** What it may be used for. */
  readonly status: ReportStatus
  /** Feature name; empty when it is about whole rows (fallbacks, labels, any feature out of range). */
  readonly feature: string
  /** The shares, in a fixed order. */
  readonly shares: readonly Share[]
  /** Share present in the reference, 0 to 1; null when the reference has too few rows, or when it is not about one feature. */
  readonly baseline: number | null
  /** Least share present, 0 to 1: the part of the baseline that the topology asks for; null when it asks for none. */
  readonly atLeast: number | null
  /** Whether the share present is below that, its interval included. */
  readonly breached: boolean
  /** Median delay of the labels in ms. */
  readonly labelDelayP50Ms: number | null
  /** 95th percentile of the delay of the labels in ms. */
  readonly labelDelayP95Ms: number | null
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** A source record that could not be used, as it came. Public: topic <topology>.dead-letters, key as it came. */
export interface DeadLetter {
  /** Source topic. */
  readonly topic: string
  /** Source partition. */
  readonly partition: number
  /** Source offset. */
  readonly offset: number
  /** Kafka timestamp of the source record in ms (epoch). */
  readonly timestamp: number
  /** Stage that met it. */
  readonly stage: string
  /** Why, as a code: undecodable, contract, no-id, no-time, far-future, ... */
  readonly reason: string
  /** Why, in a sentence that names the field and holds no value. */
  readonly detail: string
  /** The key as it came. */
  readonly key: Uint8Array | null
  /** The value as it came; its first 64 KiB when truncated. */
  readonly value: Uint8Array | null
  /** sha256 of the whole value, hex, when truncated. */
  readonly valueSha256: string | null
  /** Whether value holds only the beginning. */
  readonly truncated: boolean
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** A cell's part in the distance. */
export interface DriftCell {
  /** Bin index in the reference profile. */
  readonly cell: number
  /** Share of the reference in it, 0 to 1. */
  readonly reference: number
  /** Share of the window in it, 0 to 1. */
  readonly current: number
  /** Its part of the distance, in the distance's unit. */
  readonly contribution: number
}

/** How far one feature, or the score, has moved from the reference. Public: topic <topology>.drift, key report id. */
export interface Drift {
  /** Name of the report, spelt from what it is about: topology, kind, model@version, subject and segment (each URL-encoded), 12 digits of the reference's hash, window start and end, r and revision; joined by /. */
  readonly reportId: string
  /** Name of the topology. */
  readonly topology: string
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** Hash of the reference profile, hex. */
  readonly reference: string
  /** Segment as name=value; empty for all. */
  readonly segment: string
  /** The event time it is about. */
  readonly window: ReportWindow
  /** 0 at first; one more for each later report on the same window. */
  readonly revision: number
  /** Whether no later revision is to be expected. */
  readonly final: boolean
  /** Rows that it rests on. */
  readonly n: number
  /** What it may be used for. */
  readonly status: ReportStatus
  /** Feature name, or __score__. */
  readonly feature: string
  /** Distance: jsd, psi, linf, ... */
  readonly method: string
  /** Unit of the value: jsd_bits, psi, share, ... */
  readonly unit: string
  /** The distance in its unit; null when there are too few rows. */
  readonly value: number | null
  /** Mean of the distance, in its unit, when nothing has moved, at these row counts. */
  readonly nullMean: number | null
  /** value minus nullMean, not below 0, in its unit. */
  readonly corrected: number | null
  /** Probability of a distance this large when nothing has moved, 0 to 1. */
  readonly pValue: number | null
  /** Evidence against 'nothing has moved' as an e-value. */
  readonly eValue: number | null
  /** How false discoveries across features are bounded: e-bh, bh, ... */
  readonly fdrMethod: string | null
  /** Smallest corrected distance, in its unit, that is material. */
  readonly effectThreshold: number | null
  /** Whether chance alone is an unlikely cause, after the correction for many features. */
  readonly significant: boolean
  /** Whether the corrected distance reaches the threshold. */
  readonly material: boolean
  /** Rows in the reference. */
  readonly nReference: number
  /** The cells that moved most, largest part first. */
  readonly topCells: readonly DriftCell[]
  /** Weight of the feature in the model, 0 to 1, when known. */
  readonly importance: number | null
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** part: a part of a vector; mark: only a watermark, all else is empty; idle: a mark whose writer has nothing to read, so that its watermark holds nobody back. */
export type PartKind = 'part' | 'mark' | 'idle'

/** The part of a feature vector that one entity key, or the event itself, contributes. Internal. */
export interface FeaturePart {
  /** What this record is. */
  readonly kind: PartKind
  /** Event id. */
  readonly id: string
  /** own for the event's own part, else the field that holds the entity key. */
  readonly part: string
  /** Names of all parts of this event; only in the own part, else empty. */
  readonly parts: readonly string[]
  /** Event time in ms (epoch). */
  readonly time: number
  /** Whether the event came late. */
  readonly late: boolean
  /** Feature values by feature name, keys sorted. */
  readonly values: Readonly<Record<string, Value>>
  /** Feature statuses by feature name, keys sorted. */
  readonly statuses: Readonly<Record<string, FeatureStatus>>
  /** Contracted fields of the event; only in the own part, else empty. */
  readonly event: Readonly<Record<string, Value>>
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
}

/** How a feature came by its value. value: computed; default: the declared default stands in for null; missing: null and no default; invalid: the event broke the contract here; stale: the event came late; warming: the task's state is younger than the window; approximate: a cap or sketch was at work. A status newer than the reader is read as invalid. */
export type FeatureStatus = 'value' | 'default' | 'missing' | 'invalid' | 'stale' | 'warming' | 'approximate'

/** All features of one event of the scored stream, as of its own event time. Public: topic <topology>.features, key event id. */
export interface FeatureVector {
  /** Event id. */
  readonly id: string
  /** Event time in ms (epoch). */
  readonly time: number
  /** Source topic of the event. */
  readonly stream: string
  /** Whether the event came late: it then changed no window and its features are stale. */
  readonly late: boolean
  /** Name of the topology. */
  readonly topology: string
  /** sha256 of the compiled topology, hex. */
  readonly topologyHash: string
  /** Hash of the feature set, hex: a model serves only the one it is bound to. */
  readonly featureSet: string
  /** Feature values by feature name, keys sorted; each in the feature's own unit, which the topology states. */
  readonly values: Readonly<Record<string, Value>>
  /** Feature statuses by feature name, keys sorted. */
  readonly statuses: Readonly<Record<string, FeatureStatus>>
  /** Contracted fields of the event, keys sorted. */
  readonly event: Readonly<Record<string, Value>>
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** event: an accepted event; mark: only a watermark, all else is empty; idle: a mark whose writer has nothing to read, so that its watermark holds nobody back. */
export type JournalKind = 'event' | 'mark' | 'idle'

/** An accepted event, once per entity key that it names, in the journal of that entity. Internal. */
export interface JournalEntry {
  /** What this record is. */
  readonly kind: JournalKind
  /** Source topic of the event. */
  readonly stream: string
  /** Field of the event that holds the entity key: the role the entity plays in it. */
  readonly field: string
  /** The entity key. */
  readonly key: string
  /** Event id. */
  readonly id: string
  /** Event time in ms (epoch). */
  readonly time: number
  /** Whether the event came behind its partition's watermark. */
  readonly late: boolean
  /** Contracted fields of the event by name, keys sorted. */
  readonly values: Readonly<Record<string, Value>>
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
}

/** An event that came behind its partition's watermark and changed nothing. Public: topic <topology>.late, key as it came. */
export interface LateRecord {
  /** Source topic. */
  readonly topic: string
  /** Source partition. */
  readonly partition: number
  /** Source offset. */
  readonly offset: number
  /** Kafka timestamp of the source record in ms (epoch). */
  readonly timestamp: number
  /** Event id. */
  readonly id: string
  /** Event time in ms (epoch). */
  readonly time: number
  /** How far behind the watermark it was, in ms. */
  readonly latenessMs: number
  /** The source partition's watermark when it came, in ms (epoch). */
  readonly watermarkAt: number
  /** Why it was set aside, as a code. */
  readonly reason: string
  /** Stage that set it aside. */
  readonly stage: string
  /** The value as it came. */
  readonly raw: Uint8Array
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** The position of a record in its writer's order. Positions of one writer and incarnation rise strictly by index, so a reader that remembers the last one can drop repeats. */
export interface Origin {
  /** Stage, input topic and partition of the task that wrote it, as stage/topic/partition. */
  readonly writer: string
  /** Which life of the writer's state: raised when its state is rebuilt from nothing. */
  readonly incarnation: number
  /** Offset of the input record that caused it; -1 when a timer did. */
  readonly offset: number
  /** Place in the order of what this writer wrote in this incarnation: the first has 1, strictly increasing. */
  readonly index: number
  /** Event time in ms (epoch) of the timer that caused it; 0 when an input record did. */
  readonly time: number
}

/** prediction: carried part of a prediction; label: a label; mark: only a watermark, all else is empty; idle: a mark whose writer has nothing to read, so that its watermark holds nobody back. */
export type OutcomeKind = 'prediction' | 'label' | 'mark' | 'idle'

/** The carried part of a prediction, or a label, on its way to the join. Internal. */
export interface OutcomeEntry {
  /** What this record is. */
  readonly kind: OutcomeKind
  /** Event id. */
  readonly id: string
  /** Event time in ms (epoch): of the scored event for a prediction, of the label for a label. */
  readonly time: number
  /** Name of the prediction; empty for a label. */
  readonly predictionId: string
  /** Name of the model; empty for a label. */
  readonly model: string
  /** Version of the model; 0 for a label. */
  readonly modelVersion: number
  /** The score, 0 to 1. */
  readonly score: number
  /** Whether the score was at or above the threshold. */
  readonly decision: boolean
  /** Cell of the score in the reference profile. */
  readonly scoreCell: number
  /** Segment value by segment name, keys sorted. */
  readonly segments: Readonly<Record<string, string>>
  /** Value of the label; null for a prediction. */
  readonly label: Value
  /** Topic that the label came from; empty for a prediction. */
  readonly source: string
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
}

/** labelled: the label came in time; expired: the horizon passed without one; corrected: a later label changed it; orphan: a label without a prediction. One newer than the reader is read as orphan: joined to nothing. */
export type OutcomeState = 'labelled' | 'expired' | 'corrected' | 'orphan'

/** What became of a prediction. Public: topic <topology>.outcomes, key event id. A later revision of the same prediction replaces the earlier. */
export interface Outcome {
  /** Name of the prediction; empty for an orphan. */
  readonly predictionId: string
  /** Event id. */
  readonly id: string
  /** Event time of the prediction in ms (epoch); of the label for an orphan. */
  readonly time: number
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** What became of it. */
  readonly state: OutcomeState
  /** Value of the label; null when there is none. */
  readonly label: Value
  /** Label of the previous revision: what a correction replaces. Null at revision 0, or when the previous revision had none. */
  readonly previousLabel: Value
  /** Event time of the label in ms (epoch). */
  readonly labelTime: number | null
  /** labelTime minus time, in ms. */
  readonly delayMs: number | null
  /** The score, 0 to 1. */
  readonly score: number
  /** Whether the score was at or above the threshold. */
  readonly decision: boolean
  /** Cell of the score in the reference profile. */
  readonly scoreCell: number
  /** Segment value by segment name, keys sorted. */
  readonly segments: Readonly<Record<string, string>>
  /** 0 at first; one more for each correction. */
  readonly revision: number
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** What is counted: predictions, outcomes, late records or dead letters; mark: only a watermark, all else is empty; idle: a mark whose writer has nothing to read, so that its watermark holds nobody back. */
export type PaneKind = 'prediction' | 'outcome' | 'late' | 'deadLetter' | 'mark' | 'idle'

/** Counts of one feature in one segment for one model. */
export interface PaneCount {
  /** Feature name, __score__, __positive__ (positives per score cell) or __state__ (labelled, expired, corrected, orphan); the source topic for late records and dead letters. */
  readonly feature: string
  /** Segment as name=value, empty for all; the reason for late records and dead letters. */
  readonly segment: string
  /** The model as name@version; empty for late records and dead letters. */
  readonly model: string
  /** Rows per cell. */
  readonly cells: readonly number[]
}

/** Counts of one input partition over [start, end) of event time. Panes add up. Internal. */
export interface Pane {
  /** What is counted. */
  readonly kind: PaneKind
  /** First ms (epoch) inside. */
  readonly start: number
  /** First ms (epoch) outside. */
  readonly end: number
  /** The counts. */
  readonly counts: readonly PaneCount[]
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
}

/** What a performance figure rests on. realised: labels, complete; estimated: scores alone; provisional: labels that are not complete. One newer than the reader is read as provisional: it decides nothing. */
export type PerformanceBasis = 'realised' | 'estimated' | 'provisional'

/** How good the predictions were. Public: topic <topology>.performance, key report id. */
export interface Performance {
  /** Name of the report, spelt from what it is about: topology, kind, model@version, subject and segment (each URL-encoded), 12 digits of the reference's hash, window start and end, r and revision; joined by /. */
  readonly reportId: string
  /** Name of the topology. */
  readonly topology: string
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** Hash of the reference profile, hex. */
  readonly reference: string
  /** Segment as name=value; empty for all. */
  readonly segment: string
  /** The event time it is about. */
  readonly window: ReportWindow
  /** 0 at first; one more for each later report on the same window. */
  readonly revision: number
  /** Whether no later revision is to be expected. */
  readonly final: boolean
  /** Rows that it rests on. */
  readonly n: number
  /** What it may be used for. */
  readonly status: ReportStatus
  /** auc, brier, log_loss, precision, recall, ... */
  readonly metric: string
  /** What it rests on. */
  readonly basis: PerformanceBasis
  /** The metric; null when there are too few rows. */
  readonly value: number | null
  /** Lower end of the 95 % interval. */
  readonly lo: number | null
  /** Upper end of the 95 % interval. */
  readonly hi: number | null
  /** Standard error. */
  readonly se: number | null
  /** Most that binning can have moved the value. */
  readonly errorBound: number | null
  /** The metric in the reference. */
  readonly baseline: number | null
  /** How much worse than the baseline is accepted, in the metric's unit. */
  readonly tolerance: number | null
  /** Rows whose label is true. */
  readonly positives: number
  /** Share of the window's predictions whose label has come, 0 to 1. */
  readonly labelCompleteness: number | null
  /** Predictions whose horizon passed without a label. */
  readonly expired: number
  /** Sum over score cells of n (mean label - expected)^2 / (expected (1 - expected)): says that the relationship moved, not why. */
  readonly conceptResidual: number | null
  /** Probability of a residual this large when the relationship holds, 0 to 1. */
  readonly conceptPValue: number | null
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** Who gave the score: the model, a fallback rule, or a fallback constant. One newer than the reader is read as constant: not the model. */
export type ServedBy = 'model' | 'rule' | 'constant'

/** A score for one event, made by one model or by its fallback. Public: topic <topology>.predictions, key event id. */
export interface Prediction {
  /** Name of the prediction: a function of its inputs. */
  readonly predictionId: string
  /** Event id. */
  readonly id: string
  /** Event time in ms (epoch). */
  readonly time: number
  /** Whether the event came late. */
  readonly late: boolean
  /** Name of the topology. */
  readonly topology: string
  /** sha256 of the compiled topology, hex. */
  readonly topologyHash: string
  /** Hash of the feature set, hex. */
  readonly featureSet: string
  /** Name of the model. */
  readonly model: string
  /** Version of the model. */
  readonly modelVersion: number
  /** sha256 of the model file, hex. */
  readonly modelSha256: string
  /** Who gave the score. */
  readonly servedBy: ServedBy
  /** Why a fallback served; null when the model did. */
  readonly fallbackReason: string | null
  /** The score, a probability 0 to 1. */
  readonly score: number
  /** Whether the score is at or above the threshold. */
  readonly decision: boolean
  /** The threshold in force, 0 to 1. */
  readonly threshold: number
  /** Hash of the reference profile whose bins the cells refer to, hex. */
  readonly profile: string
  /** Cell (bin index in the reference profile) by feature name, and of the score under __score__; keys sorted. */
  readonly cells: Readonly<Record<string, number>>
  /** Feature statuses of the model's inputs by feature name, keys sorted. */
  readonly statuses: Readonly<Record<string, FeatureStatus>>
  /** Feature values that the topology allows to be logged, keys sorted. */
  readonly values: Readonly<Record<string, Value>>
  /** Segment value by segment name, keys sorted. */
  readonly segments: Readonly<Record<string, string>>
  /** Where this record came from: names it for ever, and lets a reader drop what it has already seen. */
  readonly origin: Origin
  /** Event time in ms (epoch) that the writing task had reached: it promises nothing earlier. */
  readonly watermark: number
  /** Timings of the process that wrote it: not part of the deterministic record. */
  readonly runtime: Runtime | null
}

/** What a report may be used for. ok: decides; insufficient_data: too few rows, neither good nor bad; provisional: labels are not complete; invalid: something voids it. A status newer than the reader is read as invalid. */
export type ReportStatus = 'ok' | 'insufficient_data' | 'provisional' | 'invalid'

/** The stretch of event time that a report is about: [start, end). */
export interface ReportWindow {
  /** First ms (epoch) inside. */
  readonly start: number
  /** First ms (epoch) outside. */
  readonly end: number
  /** tumbling, hopping or cohort. */
  readonly kind: string
}

/** What the wall clock and the machine say about the making of a record. Excluded from every comparison and from replay. */
export interface Runtime {
  /** Name of the process that wrote the record. */
  readonly instance: string
  /** Wall-clock time of writing in ms (epoch). */
  readonly at: number
  /** Time spent on this record in microseconds. */
  readonly micros: number
}

/** A share k of n with an interval. */
export interface Share {
  /** What is counted: a feature status, below, above, unknown, outOfRange, anyOutOfRange, fallback, label, ... */
  readonly of: string
  /** Rows that have it. */
  readonly k: number
  /** Rows in all. */
  readonly n: number
  /** Lower end of the 95 % Wilson interval of k / n, 0 to 1. */
  readonly lo: number
  /** Upper end of the 95 % Wilson interval of k / n, 0 to 1. */
  readonly hi: number
}

/** The applied topology. Topic <topology>.topology, key topology name, compacted: the last one is in force. */
export interface TopologyRecord {
  /** Name of the topology. */
  readonly name: string
  /** Its version, as its author counts. */
  readonly version: number
  /** sha256 of json, hex. */
  readonly hash: string
  /** The compiled topology as canonical JSON. */
  readonly json: string
  /** Wall-clock time of `tidemark apply` in ms (epoch). */
  readonly appliedAt: number
}
