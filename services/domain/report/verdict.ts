import type { Data, Emission, EventTime, Operator, Place, StateReader, Turn, Wake } from '../operator.ts'
import { endOfTime } from '../operator.ts'
import type { AlertMemory, ModelReports } from './alert.ts'
import { judge } from './alert.ts'
import type { CoverageReport } from './coverage.ts'
import { coverageReports, labelCoverage, sourceCoverage } from './coverage.ts'
import type { Draft } from './draft.ts'
import { draftOf } from './draft.ts'
import { driftReports } from './drift.ts'
import type { PaneKind } from './pane.ts'
import { modelKey, paneKinds, stateFeature } from './pane.ts'
import { isSettled, performanceReports } from './performance.ts'
import { scoreFeature, wholeStream } from './profile.ts'
import type { Envelope, MonitorDefinition, Occasion } from './report.ts'
import { emission } from './report.ts'
import { checkWindow, windowStart } from './report-window.ts'
import type { Tally } from './tally.ts'
import { addTally, readTallies, removeTallies } from './tally.ts'
import type { WindowTallies } from './window-tallies.ts'
import { labelCounts, labelSegments, predictionSegments, usedRecords } from './window-tallies.ts'

export interface Pane {
  readonly kind: PaneKind
  readonly start: EventTime
  readonly end: EventTime
  readonly counts: readonly Tally[]
}

/** What is remembered of a window beside its tallies. */
interface WindowMemory {
  /** Reports made so far; the next one is revision `reports`. */
  readonly reports: number
  /** Kinds of panes that came since the last report; a wake is pending while there are any. */
  readonly fresh: readonly PaneKind[]
}

/**
 * Adds panes up into report windows and, once the watermark has passed a window's end, says what it saw: drift,
 * coverage and performance per model and segment, and the alerts whose state changed. Sums do not care in which
 * order panes came, so neither do the reports. A pane for a window already reported leads to a revision of the
 * reports it touches; one for a window no longer kept is late.
 */
export const verdict = (definition: MonitorDefinition): Operator<Pane> => {
  checkWindow(definition.paneMs, definition.windowMs)
  return {
    turn: (state, pane, place) => takePane(definition, state, pane, place),
    wake: (state, wake, watermark) => {
      const [what, start] = wake.key.split('/') as ['report' | 'forget', string]
      return what === 'report'
        ? reportWindow(definition, state, Number(start), watermark)
        : forgetWindow(state, Number(start))
    },
  }
}

/**
 * A pane that ends with the window carries the watermark of that very instant, and wakes come before the record
 * that brings them: so the window is reported one millisecond later, when every such pane is in.
 */
const takePane = (definition: MonitorDefinition, state: StateReader, pane: Pane, place: Place): Turn => {
  const start = windowStart(pane.start, definition.windowMs)
  const end = start + definition.windowMs
  if (start <= forgotten(state)) return { verdict: 'late' }
  const draft = draftOf(state)
  if (pane.kind === 'prediction') draft.put('span', widened(recallSpan(state), pane))
  for (const tally of pane.counts) addTally(draft, scopeOf(start, pane.kind), tally, tally.cells)
  const before = recallWindow(draft, start)
  const fresh = before?.fresh ?? []
  const kinds = fresh.includes(pane.kind) ? fresh : [...fresh, pane.kind].sort()
  rememberWindow(draft, start, { reports: before?.reports ?? 0, fresh: kinds })
  const wake: Wake[] = []
  if (fresh.length === 0)
    wake.push({ at: reportAt(definition, end, place.watermark), key: `report/${start}` })
  if (before === undefined) wake.push({ at: clip(end + definition.retainMs), key: `forget/${start}` })
  return { verdict: 'applied', put: draft.puts(), wake }
}

/**
 * Just after the end; a revision at the next seventh of a window, so that outcomes which trickle in make few of
 * them, and at the latest just before the window is forgotten.
 */
const reportAt = (definition: MonitorDefinition, end: EventTime, watermark: EventTime): EventTime => {
  if (watermark <= end) return clip(end + 1)
  const { paneMs, windowMs, retainMs } = definition
  const step = Math.max(paneMs, Math.floor(windowMs / 7 / paneMs) * paneMs)
  const next = end + Math.ceil((watermark - end) / step) * step + 1
  return clip(Math.min(next, end + retainMs - 1))
}

const clip = (at: EventTime): EventTime => Math.min(at, endOfTime)

const reportWindow = (
  definition: MonitorDefinition,
  state: StateReader,
  start: EventTime,
  watermark: EventTime,
): Turn => {
  const draft = draftOf(state)
  const memory = recallWindow(draft, start)
  if (memory === undefined || memory.fresh.length === 0) return { verdict: 'applied' }
  rememberWindow(draft, start, { reports: memory.reports + 1, fresh: [] })
  const end = start + definition.windowMs
  const whole = isWhole(recallSpan(state), start, end, watermark)
  const occasion = { definition, start, end, revision: memory.reports, whole }
  const tallies = readWindow(draft, start)
  const emit: Emission[] =
    memory.fresh.includes('outcome') || memory.fresh.includes('prediction')
      ? modelEmissions(occasion, draft, tallies, memory.fresh)
      : []
  const sources = sourceCoverage(occasion, sourcesOf(definition, tallies))
  emit.push(...sources.map((report) => emission('coverage', report)))
  return { verdict: 'applied', put: draft.puts(), emit }
}

/** The event time from the first prediction to the last. A type alias: it is kept as plain data. */
type Span = { readonly from: EventTime; readonly to: EventTime }

const recallSpan = (state: StateReader): Span | undefined => state.get('span') as Span | undefined

const widened = (span: Span | undefined, pane: Pane): Span => ({
  from: Math.min(span?.from ?? pane.start, pane.start),
  to: Math.max(span?.to ?? pane.end, pane.end),
})

/** Whether predictions were there from the beginning to the end of a window, but for a tenth of it. */
const isWhole = (span: Span | undefined, start: EventTime, end: EventTime, watermark: EventTime): boolean => {
  const slack = (end - start) / 10
  const began = span !== undefined && span.from <= start + slack
  const goesOn = watermark < endOfTime
  return began && (goesOn || span.to >= end - slack)
}

/**
 * A first report, and a revision after new predictions, says everything about a model; one after new outcomes only
 * what they change. So what an alert names as evidence is always there.
 */
const modelEmissions = (
  occasion: Occasion,
  draft: Draft,
  tallies: WindowTallies,
  fresh: readonly PaneKind[],
): Emission[] => {
  const emit: Emission[] = []
  const send = (to: string, reports: readonly Envelope[]) =>
    emit.push(...reports.map((report) => emission(to, report)))
  for (const model of occasion.definition.models) {
    const reports = modelReports(occasion, model, tallies)
    if (fresh.includes('prediction')) {
      send('drift', reports.drift)
      send('coverage', reports.coverage)
    }
    send('performance', reports.performance)
    send('coverage', reports.labels)
    for (const { key, memory, alert } of judge(occasion, model, reports, recallAlert(draft))) {
      draft.put(alertKey(key), memory as unknown as Data)
      if (alert !== null) emit.push({ to: 'alerts', key: alert.alertKey, value: { ...alert } })
    }
  }
  return emit
}

interface WindowReports extends ModelReports {
  readonly labels: readonly CoverageReport[]
}

const modelReports = (
  occasion: Occasion,
  model: MonitorDefinition['models'][number],
  tallies: WindowTallies,
): WindowReports => {
  const key = modelKey(model.name, model.version)
  const inputs = predictionSegments(tallies, key, model.profile)
  const outcomes = labelSegments(tallies, key)
  return {
    drift: inputs.flatMap(([segment, counts]) => driftReports(occasion, model, segment, counts)),
    coverage: inputs.flatMap(([segment, counts]) => coverageReports(occasion, model, segment, counts)),
    performance: outcomes.flatMap((segment) =>
      performanceReports(occasion, model, segment, labelCounts(tallies, key, segment)),
    ),
    labels: outcomes.map((segment) =>
      labelCoverage(occasion, model, segment, labelCounts(tallies, key, segment)),
    ),
  }
}

const sourcesOf = (definition: MonitorDefinition, tallies: WindowTallies) => ({
  late: tallies.late,
  deadLetters: tallies.deadLetter,
  used: new Map([
    [definition.scored, usedRecords(tallies.prediction, scoreFeature, wholeStream)],
    [definition.labels, usedRecords(tallies.outcome, stateFeature, wholeStream)],
  ]),
  settled: definition.models.every(({ name, version }) =>
    isSettled(labelCounts(tallies, modelKey(name, version), wholeStream)),
  ),
})

/** A window that is forgotten closes all before it too: the mark only moves forward. */
const forgetWindow = (state: StateReader, start: number): Turn => {
  const draft = draftOf(state)
  for (const kind of paneKinds) removeTallies(draft, scopeOf(start, kind))
  draft.put(windowKey(start), undefined)
  draft.put('forgotten', Math.max(forgotten(state), start))
  return { verdict: 'applied', put: draft.puts() }
}

const readWindow = (draft: Draft, start: number): WindowTallies => ({
  prediction: readTallies(draft, scopeOf(start, 'prediction')),
  outcome: readTallies(draft, scopeOf(start, 'outcome')),
  late: readTallies(draft, scopeOf(start, 'late')),
  deadLetter: readTallies(draft, scopeOf(start, 'deadLetter')),
})

const recallWindow = (draft: Draft, start: number): WindowMemory | undefined =>
  draft.get(windowKey(start)) as unknown as WindowMemory | undefined

const rememberWindow = (draft: Draft, start: number, memory: WindowMemory): void =>
  draft.put(windowKey(start), memory as unknown as Data)

const recallAlert =
  (draft: Draft) =>
  (key: string): AlertMemory | undefined =>
    draft.get(alertKey(key)) as unknown as AlertMemory | undefined

const forgotten = (state: StateReader): number => (state.get('forgotten') as number | undefined) ?? -Infinity

const scopeOf = (start: number, kind: PaneKind): string => `window/${start}/${kind}`

const windowKey = (start: number): string => `window/${start}`

const alertKey = (key: string): string => `alert/${key}`
