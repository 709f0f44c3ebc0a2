import type { CoverageReport } from './coverage.ts'
import type { DriftReport } from './drift.ts'
import { flagsDrift } from './drift.ts'
import type { PerformanceReport } from './performance.ts'
import { wholeStream } from './profile.ts'
import type { Envelope, MonitorDefinition, MonitoredModel, Occasion, Playbook } from './report.ts'
import { envelope } from './report.ts'

export type Severity = 'info' | 'warn' | 'page'
export type AlertCause = 'undecided' | 'pipeline_fault' | 'none'
export type AlertState = 'ok' | 'pending' | 'firing'

export interface AlertReport extends Envelope {
  readonly alertKey: string
  readonly state: AlertState
  readonly previousState: AlertState
  readonly severity: Severity
  readonly verdict: AlertCause
  readonly playbook: Playbook
  readonly owner: string
  readonly evidence: readonly string[]
  readonly impact: Impact | null
  readonly openedAt: number | null
  readonly suppressedBy: string | null
}

export interface Impact {
  readonly metric: string
  readonly delta: number
  readonly lo: number | null
  readonly hi: number | null
  readonly basis: 'realised' | 'provisional'
}

/** What is remembered of an alert: small, and changed only by windows newer than `window`. */
export interface AlertMemory {
  readonly state: AlertState
  readonly suppressedBy: string | null
  readonly openedAt: number | null
  /** Start of the last window that decided it, and how many bad ones in a row that makes. */
  readonly window: number
  readonly streak: number
}

/** All reports of one model in one window. */
export interface ModelReports {
  readonly drift: readonly DriftReport[]
  readonly coverage: readonly CoverageReport[]
  readonly performance: readonly PerformanceReport[]
}

/** What a rule says of one window. Null means that the window cannot tell: the alert stays as it is. */
export interface Finding {
  readonly subject: string
  readonly bad: boolean | null
  readonly evidence: readonly string[]
  readonly n: number
  readonly impact: Impact | null
}

interface AlertRule {
  readonly severity: Severity
  readonly verdict: AlertCause
  readonly playbook: (definition: MonitorDefinition) => Playbook
  /** Bad windows in a row that it takes. */
  readonly patience: (definition: MonitorDefinition) => number
  /** A consequence stays silent while a root cause of the same model is bad. */
  readonly rootCause: boolean
  readonly findings: (reports: ModelReports, occasion: Occasion) => Finding[]
}

/**
 * The rules, causes before consequences. Only harm pages: realised loss of the metric, or a critical feature that
 * no longer arrives. Drift of inputs or scores alone is for the record.
 */
export const alertRules = {
  coverage: {
    severity: 'page',
    verdict: 'pipeline_fault',
    playbook: ({ playbooks }) => playbooks.coverage,
    patience: () => 1,
    rootCause: true,
    findings: ({ coverage }, { whole }) =>
      coverage
        .filter((report) => report.atLeast !== null && report.segment === wholeStream)
        .map((report) => coverageFinding(report, whole)),
  },
  performance: {
    severity: 'page',
    verdict: 'undecided',
    playbook: ({ playbooks }) => playbooks.harm,
    patience: ({ lossForMs, windowMs }) => Math.max(1, Math.ceil(lossForMs / windowMs)),
    rootCause: false,
    findings: ({ performance }) =>
      performance
        .filter((report) => report.metric === 'auc' && report.segment === wholeStream)
        .map(performanceFinding),
  },
  drift: {
    severity: 'info',
    verdict: 'undecided',
    playbook: ({ playbooks }) => playbooks.drift,
    patience: () => 1,
    rootCause: false,
    findings: ({ drift }) => driftFinding(drift.filter((report) => report.segment === wholeStream)),
  },
} satisfies Record<string, AlertRule>

export interface Judgement {
  readonly alert: AlertReport | null
  readonly memory: AlertMemory
  readonly key: string
}

/**
 * Judges one window of one model. Returns what to remember for every alert, and an alert only where its state (or
 * its suppression) has changed: a page says something new or nothing. A window older than the last judged changes
 * nothing: a revision of the past does not decide about today.
 */
export const judge = (
  occasion: Occasion,
  model: MonitoredModel,
  reports: ModelReports,
  recall: (key: string) => AlertMemory | undefined,
): Judgement[] => {
  const judgements: Judgement[] = []
  let rootCause: string | null = null
  for (const [name, rule] of Object.entries(alertRules) as [string, AlertRule][]) {
    for (const finding of rule.findings(reports, occasion)) {
      const key = `${model.name}@${model.version}/${name}/${finding.subject}`
      const before = recall(key) ?? quiet
      if (occasion.start < before.window) continue
      const memory = step(before, finding, rule, occasion, rootCause)
      const changed = memory.state !== before.state || memory.suppressedBy !== before.suppressedBy
      const change = { key, rule, finding, before, after: memory }
      judgements.push({ key, memory, alert: changed ? alertOf(occasion, model, change) : null })
      if (rule.rootCause && memory.state === 'firing') rootCause ??= key
    }
  }
  return judgements
}

/** A rank below every window, that plain data can hold. */
const noWindow = -1e18

const quiet: AlertMemory = { state: 'ok', suppressedBy: null, openedAt: null, window: noWindow, streak: 0 }

/** A revision of the window that decided last replaces its vote; it does not add one. */
const step = (
  before: AlertMemory,
  finding: Finding,
  rule: AlertRule,
  occasion: Occasion,
  rootCause: string | null,
): AlertMemory => {
  if (finding.bad === null) return before
  const window = occasion.start
  if (!finding.bad) return { ...quiet, window }
  const streak = before.window === window ? Math.max(1, before.streak) : before.streak + 1
  const firing = streak >= rule.patience(occasion.definition)
  return {
    state: firing ? 'firing' : 'pending',
    suppressedBy: rule.rootCause ? null : rootCause,
    openedAt: before.openedAt ?? occasion.end,
    window,
    streak,
  }
}

interface Change {
  readonly key: string
  readonly rule: AlertRule
  readonly finding: Finding
  readonly before: AlertMemory
  readonly after: AlertMemory
}

const alertOf = (occasion: Occasion, model: MonitoredModel, change: Change): AlertReport => {
  const { key, rule, finding, before, after } = change
  const parts = {
    kind: 'alert',
    subject: key,
    segment: wholeStream,
    n: finding.n,
    status: 'ok',
    model,
  } as const
  const open = after.state !== 'ok'
  const acts = after.state === 'firing' && after.suppressedBy === null
  return {
    ...envelope(occasion, parts),
    alertKey: key,
    state: after.state,
    previousState: before.state,
    severity: acts ? rule.severity : 'info',
    verdict: open ? rule.verdict : 'none',
    playbook: acts ? rule.playbook(occasion.definition) : 'none',
    owner: occasion.definition.owner,
    evidence: finding.evidence,
    impact: finding.impact,
    openedAt: after.openedAt,
    suppressedBy: after.suppressedBy,
  }
}

/** A stream that has just begun has empty windows everywhere: that says nothing about its sources. */
const coverageFinding = (report: CoverageReport, whole: boolean): Finding => ({
  subject: report.feature,
  bad: report.status === 'ok' && whole ? report.breached : null,
  evidence: [report.reportId],
  n: report.n,
  impact: null,
})

/** Bad when the whole interval lies below the tolerated AUC. Labels that are not complete decide nothing. */
const performanceFinding = (report: PerformanceReport): Finding => {
  const { value, lo, hi, baseline, tolerance } = report
  const known =
    report.status === 'ok' && value !== null && baseline !== null && tolerance !== null && hi !== null
  return {
    subject: report.metric,
    bad: known ? hi < baseline - tolerance : null,
    evidence: [report.reportId],
    n: report.n,
    impact: known
      ? {
          metric: report.metric,
          delta: value - baseline,
          lo: lo === null ? null : lo - baseline,
          hi: hi - baseline,
          basis: report.basis,
        }
      : null,
  }
}

const driftFinding = (reports: readonly DriftReport[]): Finding[] => {
  const decided = reports.filter((report) => report.status === 'ok')
  const flagged = decided.filter(flagsDrift)
  return [
    {
      subject: 'inputs',
      bad: decided.length === 0 ? null : flagged.length > 0,
      evidence: flagged.map((report) => report.reportId),
      n: Math.max(0, ...reports.map((report) => report.n)),
      impact: null,
    },
  ]
}
