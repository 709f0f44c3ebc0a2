import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Monitors } from '../../topologies/compiled.ts'
import { topicOf } from '../../topologies/topics.ts'
import { type Composition, plannedStage } from '../composition.ts'
import { type PaneInput, paneBuilder } from '../domain/report/pane.ts'
import type { ReferenceProfile } from '../domain/report/profile.ts'
import type { MonitorDefinition } from '../domain/report/report.ts'
import { type Pane, verdict } from '../domain/report/verdict.ts'
import type { FetchedRecord } from '../runtime/kafka/fetch.ts'
import { readInternal } from '../runtime/read.ts'
import { type Stage, writersOf } from '../runtime/stage.ts'
import type { Input } from '../runtime/turns.ts'

/** Panes per input partition, then one verdict over all of them. */
export async function reports(composition: Composition): Promise<Stage[]> {
  return [paneStage(composition), verdictStage(composition)]
}

function paneStage(composition: Composition): Stage<PaneInput> {
  const { topology, bytes } = composition
  const own = (noun: Parameters<typeof topicOf>[1]) => topicOf(topology.name, noun)
  const kinds = {
    [own('predictions')]: 'prediction',
    [own('outcomes')]: 'outcome',
    [own('late')]: 'late',
    [own('dead-letters')]: 'deadLetter',
  } as const
  const readers = new Map(
    [
      [own('predictions'), 'Prediction'] as const,
      [own('outcomes'), 'Outcome'] as const,
      [own('late'), 'LateRecord'] as const,
      [own('dead-letters'), 'DeadLetter'] as const,
    ].map(([topic, schema]) => [topic, readInternal<PaneInput>(bytes, schema)]),
  )
  const sparse = new Set([own('late'), own('dead-letters')])
  return {
    ...plannedStage(composition, 'pane'),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    // Late records and dead letters are rare, and most of their writers never speak: any of them tells the time.
    timekeepers: (input, partition) => (sparse.has(input.topic) ? 'latest' : writersOf(input, partition)),
    operator: () => paneBuilder({ paneMs: topology.monitors.paneMs, sources: kinds }),
    read: (records: readonly FetchedRecord[]): Promise<Input<PaneInput>[]> => {
      const topic = records[0]?.topic
      return topic === undefined ? Promise.resolve([]) : readers.get(topic)!(records)
    },
  }
}

function verdictStage(composition: Composition): Stage<Pane> {
  const planned = plannedStage(composition, 'verdict')
  const predictions = topicOf(composition.topology.name, 'predictions')
  const definition = monitorDefinition(composition)
  return {
    ...planned,
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    // Drift must not wait for labels: predictions tell the time, and outcomes revise what was said.
    timekeepers: ({ writers }) => writers.filter((writer) => writer.split('/')[1] === predictions),
    operator: () => verdict(definition),
    read: readInternal(composition.bytes, 'Pane'),
  }
}

/** Topologies write playbooks as words with dashes; on the wire they are symbols, which may not have any. */
function playbooksOf({ coverage, harm, drift }: Monitors['playbooks']): MonitorDefinition['playbooks'] {
  return { coverage: symbols[coverage], harm: symbols[harm], drift: symbols[drift] }
}

const symbols = {
  retrain: 'retrain',
  'roll-back': 'rollback',
  'human-review': 'human_review',
  'tighten-thresholds': 'tighten_thresholds',
  'fix-pipeline': 'fix_pipeline',
  none: 'none',
} as const

function monitorDefinition({ topology, folder }: Composition): MonitorDefinition {
  const { monitors, label } = topology
  const horizons = 2 * label.horizonMs
  return {
    topology: topology.name,
    owner: topology.owner,
    paneMs: monitors.paneMs,
    windowMs: monitors.windowMs,
    retainMs: monitors.windowMs + horizons,
    models: topology.models.map(({ name, version, profile, profileSha256 }) => ({
      name,
      version,
      profile: JSON.parse(readFileSync(join(folder, profile), 'utf8')) as ReferenceProfile,
      profileHash: profileSha256,
    })),
    scored: topology.scored,
    labels: label.stream,
    critical: monitors.critical,
    coverageAtLeast: monitors.coverage.atLeast,
    minRows: monitors.drift.minRows,
    drift: { effectBits: monitors.drift.effect, alpha: monitors.drift.alpha, rule: 'e-bh' },
    relativeDrop: monitors.tolerance.relativeDrop,
    lossForMs: monitors.tolerance.forMs,
    playbooks: playbooksOf(monitors.playbooks),
    labelCompleteness: 0.8,
  }
}
