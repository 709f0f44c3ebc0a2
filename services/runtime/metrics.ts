import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Placement } from './placement.ts'
import type { TaskStatus } from './task.ts'

export interface Metrics {
  readonly registry: Registry
  committed(stage: string, records: number, durationMs: number): void
  /** A task's life has ended in a failure of this kind. */
  recovering(stage: string, kind: string): void
}

/** The metrics of one service. Counts come from the checkpoints, so they survive a restart. */
export function createMetrics(
  service: string,
  instance: string,
  statuses: () => TaskStatus[],
  placement?: Placement,
): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service, instance })
  collectDefaultMetrics({ register: registry })
  const commits = new Histogram({
    name: 'tidemark_commit_seconds',
    help: 'Duration of a commit: one transaction and one store batch',
    labelNames: ['stage'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [registry],
  })
  const written = new Counter({
    name: 'tidemark_records_written_total',
    help: 'Records written to output topics',
    labelNames: ['stage'],
    registers: [registry],
  })
  taskGauge(
    registry,
    'tidemark_task_lag_records',
    'Records between the task and the end of its input',
    statuses,
    ({ lag }) => lag,
  )
  const recoveries = new Counter({
    name: 'tidemark_task_recoveries_total',
    help: 'Times that a task began anew: fenced, refused, with a damaged store, or after another failure (again)',
    labelNames: ['stage', 'kind'],
    registers: [registry],
  })
  taskGauge(
    registry,
    'tidemark_task_restore_left_records',
    'Offsets of the changelog that a restore has still to read; zero when none is under way',
    statuses,
    ({ restoring }) => restoring,
  )
  taskGauge(
    registry,
    'tidemark_task_running',
    'One while the task is restored and running',
    statuses,
    ({ running }) => Number(running),
  )
  taskGauge(
    registry,
    'tidemark_task_watermark_timestamp_seconds',
    'Event time up to which the task has seen everything that is not late',
    statuses,
    ({ progress }) => (progress ? progress.watermark / 1000 : Number.NaN),
  )
  bookGauge(registry, statuses)
  if (placement !== undefined) misplacedCounter(registry, placement)
  return {
    registry,
    committed(stage, records, durationMs) {
      commits.observe({ stage }, durationMs / 1000)
      written.inc({ stage }, records)
    },
    recovering: (stage, kind) => recoveries.inc({ stage, kind }),
  }
}

function taskGauge(
  registry: Registry,
  name: string,
  help: string,
  statuses: () => TaskStatus[],
  read: (status: TaskStatus) => number,
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: ['stage', 'topic', 'partition'],
    registers: [registry],
    collect() {
      gauge.reset()
      for (const status of statuses()) {
        const { stage, topic, partition } = status
        gauge.set({ stage, topic, partition: String(partition) }, read(status))
      }
    },
  })
}

function bookGauge(registry: Registry, statuses: () => TaskStatus[]): void {
  const gauge = new Gauge({
    name: 'tidemark_records_total',
    help: 'Records read, by what became of them: in = applied + late + duplicate + dead-lettered',
    labelNames: ['stage', 'topic', 'verdict'],
    registers: [registry],
    collect() {
      gauge.reset()
      for (const { stage, topic, progress } of statuses()) {
        if (progress === undefined) continue
        const { in: read, applied, late, duplicate, deadLettered } = progress.counts
        const books = { in: read, applied, late, duplicate, 'dead-letter': deadLettered }
        for (const [verdict, count] of Object.entries(books)) gauge.inc({ stage, topic, verdict }, count)
      }
    },
  })
}

function misplacedCounter(registry: Registry, { misplaced }: Placement): void {
  const counter = new Counter({
    name: 'tidemark_misplaced_records_total',
    help: 'Keyed records read from another partition than the murmur2 hash of their key names (TM_PARTITIONER)',
    labelNames: ['topic'],
    registers: [registry],
    collect() {
      counter.reset()
      for (const [topic, count] of misplaced) counter.inc({ topic }, count)
    },
  })
}
