import type { FeatureFrame, GuardCell } from './cell.ts'
import { guardCells, guardIndex } from './cell.ts'
import type { Counts } from './cell-distance.ts'
import { total } from './cell-distance.ts'
import type { LabelCounts } from './performance.ts'
import { isSettled } from './performance.ts'
import { frameOf, referenceCounts } from './profile.ts'
import type { Envelope, MonitoredModel, Occasion } from './report.ts'
import { envelope, noModel } from './report.ts'
import type { Tally } from './tally.ts'
import { wilson } from './wilson.ts'

/** A counted share with its Wilson interval, as the record holds it. */
export interface ReportedShare {
  readonly of: string
  readonly k: number
  readonly n: number
  readonly lo: number
  readonly hi: number
}

export interface CoverageReport extends Envelope {
  /** Empty when the report is about whole rows, or about a source. */
  readonly feature: string
  readonly shares: readonly ReportedShare[]
  /** The share present in the reference; null when it has too few rows to say. */
  readonly baseline: number | null
  readonly atLeast: number | null
  readonly breached: boolean
  readonly labelDelayP50Ms: number | null
  readonly labelDelayP95Ms: number | null
}

/** Cells without a value of the feature's own: nothing came, or something else was put in its place. */
const absent: readonly GuardCell[] = ['null', 'nan', 'default', 'invalid']

/** With n = 0 nothing is known: the interval is [0, 1]. */
export const reportedShare = (of: string, k: number, n: number): ReportedShare => {
  const { lo, hi } = wilson(k, n)
  return { of, k, n, lo: lo ?? 0, hi: hi ?? 1 }
}

/**
 * What the model could see of each feature in one segment: the share present and not a default, the share in each
 * guard cell, and out of range in all. What was rare in the reference already is no fault now, so the topology asks
 * of a critical feature a part of the share that the reference has; breached when even the upper end of the interval
 * is below that.
 */
export const coverageReports = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  current: ReadonlyMap<string, Counts>,
): CoverageReport[] =>
  Object.keys(model.profile.features)
    .sort()
    .map((feature) => featureCoverage(occasion, model, segment, feature, current.get(feature) ?? []))

const featureCoverage = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  feature: string,
  counts: Counts,
): CoverageReport => {
  const { critical, coverageAtLeast, minRows } = occasion.definition
  const frame = frameOf(model.profile, feature) as FeatureFrame
  const reference = referenceCounts(model.profile, feature, segment) ?? []
  const nReference = total(reference)
  const baseline = nReference >= minRows ? presentRows(frame, reference) / nReference : null
  const n = total(counts)
  const status = n >= minRows ? 'ok' : 'insufficient_data'
  const shares = featureShares(frame, counts, n)
  const atLeast = critical.includes(feature) && baseline !== null ? coverageAtLeast * baseline : null
  const present = shares[0] as ReportedShare
  return {
    ...envelope(occasion, { kind: 'coverage', subject: feature, segment, n, status, model }),
    feature,
    shares,
    baseline,
    atLeast,
    breached: atLeast !== null && status === 'ok' && present.hi < atLeast,
    ...noDelays,
  }
}

const featureShares = (frame: FeatureFrame, counts: Counts, n: number): ReportedShare[] => {
  const inGuard = (guard: GuardCell): number => counts[guardIndex(frame, guard)] ?? 0
  return [
    reportedShare('present', presentRows(frame, counts), n),
    ...guardCells.map((guard) => reportedShare(guard, inGuard(guard), n)),
    reportedShare('outOfRange', inGuard('below') + inGuard('above'), n),
  ]
}

const presentRows = (frame: FeatureFrame, counts: Counts): number =>
  absent.reduce((rest, guard) => rest - (counts[guardIndex(frame, guard)] ?? 0), total(counts))

/** How many predictions of a segment have their label. Provisional while some may still get theirs. */
export const labelCoverage = (
  occasion: Occasion,
  model: MonitoredModel,
  segment: string,
  counts: LabelCounts,
): CoverageReport => {
  const n = counts.predicted
  const final = isSettled(counts)
  const mature = final ? ('ok' as const) : ('provisional' as const)
  const status = n >= occasion.definition.minRows ? mature : 'insufficient_data'
  return {
    ...envelope(occasion, { kind: 'coverage', subject: '', segment, n, status, model }),
    final,
    ...noFeature,
    shares: [reportedShare('label', counts.arrived, n)],
  }
}

export interface SourceRows {
  readonly late: readonly Tally[]
  readonly deadLetters: readonly Tally[]
  /** Records that were used, by topic, where that is known. */
  readonly used: ReadonlyMap<string, number>
  /** Whether every prediction of the window has its outcome: until then labels are still being used. */
  readonly settled: boolean
}

/**
 * What was set aside of each source topic: late records, dead letters, and the dead letters by reason. A topic
 * read by two stages is set aside by both, so the stage with the most counts, not their sum.
 */
export const sourceCoverage = (occasion: Occasion, rows: SourceRows): CoverageReport[] => {
  const touched = [...rows.late, ...rows.deadLetters].map((tally) => tally.feature)
  const topics = [...new Set([...rows.used.keys(), ...touched])].sort()
  return topics.map((topic) => {
    const late = mostByStage(rows.late.filter((tally) => tally.feature === topic))
    const dead = mostByStage(rows.deadLetters.filter((tally) => tally.feature === topic))
    const used = rows.used.get(topic)
    const n = used === undefined ? 0 : used + late.all + dead.all
    const segment = `source=${topic}`
    const mature = rows.settled ? ('ok' as const) : ('provisional' as const)
    const status = used === undefined ? 'insufficient_data' : mature
    return {
      ...envelope(occasion, { kind: 'coverage', subject: '', segment, n, status, model: noModel }),
      final: rows.settled,
      ...noFeature,
      shares: [
        reportedShare('late', late.all, n),
        reportedShare('deadLetter', dead.all, n),
        ...dead.reasons.map(([reason, k]) => reportedShare(`deadLetter:${reason}`, k, n)),
      ],
    }
  })
}

const noDelays = { labelDelayP50Ms: null, labelDelayP95Ms: null }

/** What a report says that is about whole rows, or about a source. */
const noFeature = { feature: '', baseline: null, atLeast: null, breached: false, ...noDelays }

interface SetAside {
  readonly all: number
  readonly reasons: [reason: string, k: number][]
}

const mostByStage = (tallies: readonly Tally[]): SetAside => {
  const stages = Map.groupBy(tallies, (tally) => tally.segment.split('/')[0] ?? '')
  let most: SetAside = { all: 0, reasons: [] }
  for (const [stage, ofStage] of [...stages].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const reasons = ofStage.map((tally): [string, number] => [
      tally.segment.slice(stage.length + 1),
      total(tally.cells),
    ])
    const all = total(reasons.map(([, k]) => k))
    if (all > most.all) most = { all, reasons }
  }
  return most
}
