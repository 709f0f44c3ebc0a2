import { type Role, rolesOf } from '../services/domain/feature/definition.ts'
import type { Topology } from './compiled.ts'
import {
  changelogOf,
  changelogSpec,
  groupOf,
  journalOf,
  type PlanOptions,
  type ServiceName,
  type SingleTopic,
  sourceWriter,
  stageIdOf,
  type TopicSpec,
  topicKinds,
  topicOf,
  topicSpecs,
  transactionalIdOf,
  writerOf,
} from './topics.ts'

export interface StageInput {
  readonly topic: string
  readonly partitions: number
  /** True for a topic of the user: decoded by contract, and without origin or watermark of ours. */
  readonly source: boolean
  readonly schema: string | null
  /** Every writer that writes to it, in order; `['source']` for a user's topic. */
  readonly writers: readonly string[]
  /** Each partition is written only by the writers that read the partition of the same number. */
  readonly own: boolean
}

export interface StageOutput {
  readonly topic: string
  readonly partitions: number
  readonly schema: string
  /** `key`: murmur2 of the key chooses the partition; `own`: the number of the task's input partition. */
  readonly by: 'key' | 'own'
  /** Takes watermark marks. */
  readonly journal: boolean
}

export interface TaskSpec {
  readonly index: number
  readonly topic: string
  readonly partition: number
  readonly writer: string
  readonly transactionalId: string
}

export interface Stage {
  /** With the topology's version: `ingest-v1`. */
  readonly id: string
  /** `ingest`, `entity-airport`, `assemble`, `score`, `label`, `carry`, `join`, `pane`, `verdict`. */
  readonly name: string
  readonly service: ServiceName
  /** The entity of an entity stage, otherwise null. */
  readonly entity: string | null
  readonly inputs: readonly StageInput[]
  readonly outputs: Readonly<Record<string, StageOutput>>
  /** One per input partition, inputs in order: its index is its place here and its changelog partition. */
  readonly tasks: readonly TaskSpec[]
  readonly changelog: { readonly topic: string; readonly partitions: number }
}

export interface Service {
  readonly name: ServiceName
  readonly group: string
  readonly stages: readonly Stage[]
}

export interface Plan {
  readonly topology: string
  readonly version: number
  /** Partitions of the scored stream, which every keyed topic shares. */
  readonly partitions: number
  readonly roles: readonly Role[]
  readonly topics: readonly TopicSpec[]
  readonly services: Readonly<Record<ServiceName, Service>>
}

/** A stage before its writers, tasks and partitions are worked out. */
interface Sketch {
  readonly name: string
  readonly service: ServiceName
  readonly entity?: string
  readonly inputs: readonly string[]
  readonly outputs: Readonly<Record<string, readonly [topic: string, by: 'key' | 'own']>>
}

/** Everything that a topology needs on a broker, and who reads and writes it. Pure. */
export function planOf(topology: Topology, options: PlanOptions = {}): Plan {
  const { name, version } = topology
  const partitions = topology.streams[topology.scored]!.partitions
  const roles = rolesOf(topology.features, topology.scored)
  const sketches = sketchStages(topology, roles)
  const entities = [...new Set(roles.map((role) => role.entity))]
  const data = topicSpecs(topology, entities, options)
  const byName = new Map(data.map((spec) => [spec.name, spec]))
  const stages = sketches.map((sketch) => stageOf(sketch, sketches, byName, topology))
  const changelogs = stages.map(({ changelog }) => changelogSpec(changelog.topic, changelog.partitions))
  const service = (service: ServiceName): Service => ({
    name: service,
    group: groupOf(name, service, version),
    stages: stages.filter((stage) => stage.service === service),
  })
  return {
    topology: name,
    version,
    partitions,
    roles,
    topics: [...data, ...changelogs],
    services: {
      features: service('features'),
      predictions: service('predictions'),
      outcomes: service('outcomes'),
      reports: service('reports'),
    },
  }
}

/** Topics that feed features: the scored stream and every stream of a quantity, sorted by name. */
export function featureStreams(topology: Topology): readonly string[] {
  const used = new Set([topology.scored])
  for (const feature of Object.values(topology.features))
    if (feature.kind === 'aggregate') used.add(feature.quantity.stream)
  return [...used].sort()
}

/** All stages of a plan, in the order in which records flow. */
export function stagesOf(plan: Plan): readonly Stage[] {
  return Object.values(plan.services).flatMap((service) => service.stages)
}

function sketchStages(topology: Topology, roles: readonly Role[]): readonly Sketch[] {
  const own = (noun: SingleTopic) => topicOf(topology.name, noun)
  const refused = { late: [own('late'), 'key'], deadLetters: [own('dead-letters'), 'key'] } as const
  return [
    ...sketchFeatures(topology, roles, own, refused),
    {
      name: 'score',
      service: 'predictions',
      inputs: [own('features')],
      // A vector's partition is that of its event id already, so its prediction's is too.
      outputs: { predictions: [own('predictions'), 'own'] },
    },
    ...sketchOutcomes(topology, own),
    ...sketchReports(own),
  ]
}

type OwnTopic = (noun: SingleTopic) => string

function sketchFeatures(
  topology: Topology,
  roles: readonly Role[],
  own: OwnTopic,
  refused: Sketch['outputs'],
): Sketch[] {
  const entities = [...new Set(roles.map((role) => role.entity))]
  const journals = entities.map(
    (entity) => [`${entity}-journal`, [journalOf(topology.name, entity), 'key']] as const,
  )
  return [
    {
      name: 'ingest',
      service: 'features',
      inputs: featureStreams(topology),
      outputs: { ...Object.fromEntries(journals), parts: [own('feature-parts'), 'key'], ...refused },
    },
    ...entities.map(
      (entity): Sketch => ({
        name: `entity-${entity}`,
        service: 'features',
        entity,
        inputs: [journalOf(topology.name, entity)],
        outputs: { parts: [own('feature-parts'), 'key'] },
      }),
    ),
    {
      name: 'assemble',
      service: 'features',
      inputs: [own('feature-parts')],
      outputs: { features: [own('features'), 'own'] },
    },
  ]
}

function sketchOutcomes(topology: Topology, own: OwnTopic): Sketch[] {
  return [
    {
      name: 'label',
      service: 'outcomes',
      inputs: [topology.label.stream],
      // A late label is kept: labels are late by nature.
      outputs: {
        journal: [own('outcome-journal'), 'key'],
        deadLetters: [own('dead-letters'), 'key'],
      },
    },
    {
      name: 'carry',
      service: 'outcomes',
      inputs: [own('predictions')],
      outputs: { journal: [own('outcome-journal'), 'key'] },
    },
    {
      name: 'join',
      service: 'outcomes',
      inputs: [own('outcome-journal')],
      outputs: { outcomes: [own('outcomes'), 'own'] },
    },
  ]
}

function sketchReports(own: OwnTopic): Sketch[] {
  return [
    {
      name: 'pane',
      service: 'reports',
      inputs: [own('predictions'), own('outcomes'), own('late'), own('dead-letters')],
      outputs: { panes: [own('panes'), 'key'] },
    },
    {
      name: 'verdict',
      service: 'reports',
      inputs: [own('panes')],
      outputs: {
        drift: [own('drift'), 'key'],
        coverage: [own('coverage'), 'key'],
        performance: [own('performance'), 'key'],
        alerts: [own('alerts'), 'key'],
      },
    },
  ]
}

function stageOf(
  sketch: Sketch,
  sketches: readonly Sketch[],
  topics: ReadonlyMap<string, TopicSpec>,
  { name: topology, version }: Topology,
): Stage {
  const id = stageIdOf(sketch.name, version)
  const inputs = sketch.inputs.map((topic): StageInput => {
    const { partitions, schema, kind } = topics.get(topic)!
    const source = kind === 'source'
    const writers = source ? [sourceWriter] : writersOf(topic, sketches, topics)
    return { topic, partitions, source, schema, writers, own: isOwn(topic, sketches) }
  })
  const outputs = Object.entries(sketch.outputs).map(([output, [topic, by]]): [string, StageOutput] => {
    const { partitions, schema, kind } = topics.get(topic)!
    return [
      output,
      { topic, partitions, schema: schema!, by, journal: kind !== 'source' && topicKinds[kind].marks },
    ]
  })
  const tasks = partitionsOf(sketch.inputs, topics).map(
    ([topic, partition], index): TaskSpec => ({
      index,
      topic,
      partition,
      writer: writerOf(sketch.name, topic, partition),
      transactionalId: transactionalIdOf(topology, id, index),
    }),
  )
  return {
    id,
    name: sketch.name,
    service: sketch.service,
    entity: sketch.entity ?? null,
    inputs,
    outputs: Object.fromEntries(outputs),
    tasks,
    changelog: { topic: changelogOf(topology, id), partitions: tasks.length },
  }
}

function isOwn(topic: string, sketches: readonly Sketch[]): boolean {
  const ways = sketches
    .flatMap(({ outputs }) => Object.values(outputs))
    .filter(([output]) => output === topic)
  return ways.length > 0 && ways.every(([, by]) => by === 'own')
}

function writersOf(
  topic: string,
  sketches: readonly Sketch[],
  topics: ReadonlyMap<string, TopicSpec>,
): string[] {
  return sketches
    .filter((sketch) => Object.values(sketch.outputs).some(([output]) => output === topic))
    .flatMap((sketch) =>
      partitionsOf(sketch.inputs, topics).map(([input, partition]) =>
        writerOf(sketch.name, input, partition),
      ),
    )
}

function partitionsOf(
  inputs: readonly string[],
  topics: ReadonlyMap<string, TopicSpec>,
): (readonly [topic: string, partition: number])[] {
  return inputs.flatMap((topic) =>
    Array.from({ length: topics.get(topic)!.partitions }, (_, partition) => [topic, partition] as const),
  )
}
