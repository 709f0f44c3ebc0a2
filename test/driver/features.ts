import type { SourceRecord } from '../../services/domain/event/accept.ts'
import type { Stream } from '../../services/domain/event/contract.ts'
import { assemble } from '../../services/domain/feature/assemble.ts'
import { type Feature, rolesOf } from '../../services/domain/feature/definition.ts'
import { entity } from '../../services/domain/feature/entity.ts'
import { ingest } from '../../services/domain/feature/ingest.ts'
import type { JournalRecord, PartRecord } from '../../services/domain/feature/records.ts'
import type { Outgoing } from '../../services/runtime/turns.ts'
import { type Stamped, startTask, type Task, type TaskOptions } from './driver.ts'

export interface FeatureDefinition {
  readonly scored: string
  readonly late: 'score' | 'drop'
  readonly alignmentMs: number
  readonly streams: Readonly<Record<string, Stream>>
  readonly features: Readonly<Record<string, Feature>>
  readonly waitMs: number
}

export interface SourceLine {
  readonly topic: string
  readonly partition: number
  readonly timestamp: number
  readonly decoded: SourceRecord['decoded']
  /** All tasks restart from what they saved, after this line. */
  readonly cut?: boolean
  /** All ingest tasks tell their watermark to all journals, after this line. */
  readonly mark?: boolean
}

/** Everything that the features service wrote, by topic and partition, in offset order. */
export interface FeatureRun {
  readonly written: ReadonlyMap<string, readonly Outgoing[]>
  readonly journals: readonly (readonly (JournalRecord & Stamped)[])[]
  readonly parts: readonly (PartRecord & Stamped)[]
  readonly vectors: readonly Record<string, unknown>[]
  readonly counts: Readonly<Record<string, Task<unknown>['progress']['counts']>>
  /** State keys that are left, by task. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

type AnyTask = Task<never>

/**
 * The three stages of the features service over arrays instead of topics: each record goes through all of them
 * before the next one enters. Every journal has two partitions, as every stream must.
 */
export function runFeatures(definition: FeatureDefinition, lines: readonly SourceLine[]): FeatureRun {
  const { options, ingestNames, entityNames, assembleNames } = planTasks(definition)
  const tasks = new Map<string, AnyTask>()
  for (const [name, option] of options) tasks.set(name, startTask(option))
  const written = new Map<string, Outgoing[]>()

  function route(outgoing: readonly Outgoing[], own: number): void {
    for (const record of outgoing) {
      const topic = record.output.replace('journal:', 'entity/')
      const partition = topic === 'features' ? own : partitionOf(record.key)
      const log = `${topic}/${partition}`
      if (!written.has(log)) written.set(log, [])
      written.get(log)!.push(record)
      const reader = topic === 'parts' ? `assemble/${partition}` : log
      const task = tasks.get(reader)
      if (task !== undefined) route(task.internal(record.value as never), partition)
    }
  }
  const mark = (writers: readonly string[], readers: readonly string[]) => {
    for (const writer of writers) {
      const { watermark } = tasks.get(writer)!.progress
      for (const name of readers) route(tasks.get(name)!.mark(writer, watermark), Number(name.at(-1)))
    }
  }
  const offsets = new Map<string, number>()
  for (const { topic, partition, timestamp, decoded, ...then } of lines) {
    const name = `ingest/${topic}/${partition}`
    const offset = offsets.get(name) ?? 0
    offsets.set(name, offset + 1)
    const bytes = new TextEncoder().encode(JSON.stringify(decoded))
    const record = { key: null, value: bytes, decoded } as never
    route(tasks.get(name)!.source(record, { topic, partition, offset, timestamp }), partition)
    if (then.mark === true) {
      mark(ingestNames, [...entityNames, ...assembleNames])
      mark(entityNames, assembleNames)
    }
    if (then.cut === true) {
      for (const [name, option] of options) tasks.set(name, startTask(option, tasks.get(name)!.saved()))
    }
  }
  for (const [name, task] of tasks) route(task.end(), Number(name.at(-1)))
  return collect(written, tasks, entityNames)
}

/** The tasks in the order of the flow, so that ending them in this order loses nothing. */
function planTasks(definition: FeatureDefinition) {
  const { scored, features, streams } = definition
  const roles = rolesOf(features, scored)
  const entities = [...new Set(roles.map((role) => role.entity))]
  const topics = Object.keys(streams).filter(
    (topic) => topic === scored || roles.some(({ stream }) => stream === topic),
  )
  const both = (prefix: string) => [`${prefix}/0`, `${prefix}/1`]
  const ingestNames = topics.flatMap((topic) => both(`ingest/${topic}`))
  const entityNames = entities.flatMap((name) => both(`entity/${name}`))
  const assembleNames = both('assemble')
  const options = new Map<string, TaskOptions<never>>()
  const add = (names: readonly string[], operator: unknown, upstreams: readonly string[]) => {
    for (const writer of names) options.set(writer, { writer, upstreams, operator } as TaskOptions<never>)
  }
  for (const topic of topics) add(both(`ingest/${topic}`), ingest({ ...definition, topic }), [])
  for (const name of entities)
    add(both(`entity/${name}`), entity({ ...definition, entity: name }), ingestNames)
  const rememberMs = definition.streams[definition.scored]!.dedupeMs
  const vectorOf = { topology: 'test', topologyHash: 'hash', featureSet: 'set', rememberMs }
  add(assembleNames, assemble({ ...definition, ...vectorOf }), [...ingestNames, ...entityNames])
  return { options, ingestNames, entityNames, assembleNames }
}

function collect(
  written: Map<string, Outgoing[]>,
  tasks: Map<string, AnyTask>,
  journals: readonly string[],
): FeatureRun {
  const valuesOf = (log: string) => (written.get(log) ?? []).map(({ value }) => value)
  const byTask = <T>(read: (task: AnyTask) => T) =>
    Object.fromEntries([...tasks].map(([name, task]) => [name, read(task)]))
  return {
    written,
    journals: journals.map((log) => valuesOf(log) as unknown as (JournalRecord & Stamped)[]),
    parts: [...valuesOf('parts/0'), ...valuesOf('parts/1')] as unknown as (PartRecord & Stamped)[],
    vectors: [...valuesOf('features/0'), ...valuesOf('features/1')],
    counts: byTask((task) => task.progress.counts),
    keys: byTask((task) => task.keys()),
  }
}

function partitionOf(key: string): number {
  return [...key].reduce((sum, sign) => sum + sign.codePointAt(0)!, 0) % 2
}
