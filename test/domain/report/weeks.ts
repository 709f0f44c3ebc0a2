import type { AlertReport } from '../../../services/domain/report/alert.ts'
import type { CoverageReport } from '../../../services/domain/report/coverage.ts'
import type { DriftReport } from '../../../services/domain/report/drift.ts'
import { type PaneInput, paneBuilder } from '../../../services/domain/report/pane.ts'
import type { PerformanceReport } from '../../../services/domain/report/performance.ts'
import type { ReferenceRow } from '../../../services/domain/report/profile.ts'
import type { MonitorDefinition } from '../../../services/domain/report/report.ts'
import { type Pane, verdict } from '../../../services/domain/report/verdict.ts'
import { taskOf } from './task.ts'
import {
  type Change,
  drawRows,
  hourMs,
  monday,
  monitorOf,
  outcomeOf,
  predictionOf,
  profileOf,
  weekMs,
} from './world.ts'

export const profile = profileOf(drawRows(1, 6000))
export const monitor = monitorOf(profile)
const sources = {
  predictions: 'prediction',
  outcomes: 'outcome',
  late: 'late',
  'dead-letters': 'deadLetter',
} as const

/** Rows spread evenly over one week. */
export const timesOf = (rows: readonly unknown[], week: number) => (i: number) =>
  monday + week * weekMs + Math.floor((i * weekMs) / rows.length)

export const panesOf = (records: readonly PaneInput[], topic: string): Pane[] => {
  const task = taskOf(paneBuilder({ paneMs: hourMs, sources }))
  for (const record of records) task.take(record, topic)
  task.end()
  return task.emitted.map(({ value }) => value as unknown as Pane)
}

export const weekPanes = (rows: readonly ReferenceRow[], week = 0): Pane[] => {
  const time = timesOf(rows, week)
  return [
    ...panesOf(
      rows.map((row, i) => predictionOf(profile, row, time(i))),
      'predictions',
    ),
    ...panesOf(
      rows.map((row, i) => outcomeOf(profile, row, time(i))),
      'outcomes',
    ),
  ]
}

export const taskFor = (definition: MonitorDefinition = monitor) => {
  const task = taskOf(verdict(definition))
  const of = <T>(to: string): T[] => task.emitted.filter((e) => e.to === to).map((e) => e.value as T)
  return {
    ...task,
    drift: () => of<DriftReport>('drift'),
    coverage: () => of<CoverageReport>('coverage'),
    performance: () => of<PerformanceReport>('performance'),
    alerts: () => of<AlertReport>('alerts'),
  }
}

/** Each week's panes arrive with the watermark at their own end, as the pane stage sends them. */
export const report = (weeks: readonly (readonly Pane[])[], definition?: MonitorDefinition) => {
  const task = taskFor(definition)
  for (const panes of weeks) {
    for (const pane of panes.toSorted((a, b) => a.end - b.end)) task.take(pane, 'panes', pane.end)
  }
  task.end()
  return task
}

export const weekOf = (seed: number, change: Change = 'none', n = 1500) => drawRows(seed, n, change)
