import { valueSubject } from '../schemas/catalogue.ts'
import { durationText } from './duration.ts'
import { type Plan, type Stage, stagesOf } from './plan.ts'
import type { TopicSpec } from './topics.ts'

/** A topic as it is on the broker. */
export interface ExistingTopic {
  readonly name: string
  readonly partitions: number
  /** Only those that are compared need be there. */
  readonly configs: Readonly<Record<string, string>>
}

export type TopicChange =
  | { readonly change: 'create' | 'keep'; readonly topic: TopicSpec }
  /** Configs that differ, and what they become. */
  | {
      readonly change: 'alter'
      readonly topic: TopicSpec
      readonly configs: Readonly<Record<string, string>>
    }
  /** Kafka cannot take partitions away, and adding some would move keys: nothing is done. */
  | { readonly change: 'conflict'; readonly topic: TopicSpec; readonly partitions: number }

/** What applying a plan would do to each topic. A user's topic that exists keeps its own configs. */
export function changesOf(plan: Plan, existing: readonly ExistingTopic[]): readonly TopicChange[] {
  const known = new Map(existing.map((topic) => [topic.name, topic]))
  return plan.topics.map((topic): TopicChange => {
    const found = known.get(topic.name)
    if (found === undefined) return { change: 'create', topic }
    if (found.partitions !== topic.partitions)
      return { change: 'conflict', topic, partitions: found.partitions }
    const different = Object.entries(topic.configs).filter(([name, value]) => found.configs[name] !== value)
    if (topic.visibility === 'user' || different.length === 0) return { change: 'keep', topic }
    return { change: 'alter', topic, configs: Object.fromEntries(different) }
  })
}

/** A plan as text for a person; with what exists, also what would change. */
export function describePlan(plan: Plan, existing: readonly ExistingTopic[] = []): string {
  const changes = changesOf(plan, existing)
  const stages = stagesOf(plan)
  const tasks = stages.reduce((sum, stage) => sum + stage.tasks.length, 0)
  const counts = (['create', 'alter', 'keep', 'conflict'] as const)
    .map((change) => `${changes.filter((one) => one.change === change).length} ${words[change]}`)
    .join(', ')
  return [
    `${plan.topology} v${plan.version}: ${stages.length} stages, ${tasks} tasks, ${plan.topics.length} topics`,
    '',
    `stages (event to prediction: ${hopsToPrediction(plan)} hops)`,
    ...table([
      ['service', 'stage', 'tasks', 'reads', 'writes', 'partitions per transaction'],
      ...stages.map((stage) => [
        stage.service,
        stage.id,
        String(stage.tasks.length),
        stage.inputs.map((input) => `${input.topic}[${input.partitions}]`).join(' '),
        Object.values(stage.outputs)
          .map((output) => output.topic)
          .join(' '),
        `≤ ${transactionPartitions(stage)}`,
      ]),
    ]),
    '',
    `topics (${counts})`,
    ...table([
      ['', 'topic', 'partitions', 'cleanup', 'kept', 'schema', 'compatibility', 'subject'],
      ...changes.map(topicRow),
    ]),
    '',
  ].join('\n')
}

/** The most partitions that one transaction of a stage's task writes to, its changelog included. */
export function transactionPartitions(stage: Stage): number {
  const outputs = Object.values(stage.outputs).map((output) => (output.by === 'own' ? 1 : output.partitions))
  return outputs.reduce((sum, partitions) => sum + partitions, 1)
}

const words = { create: 'to create', alter: 'to change', keep: 'unchanged', conflict: 'in conflict' } as const
const signs = { create: '+', alter: '~', keep: ' ', conflict: '!' } as const

function topicRow(one: TopicChange): readonly string[] {
  const { name, partitions, configs, schema, compatibility, visibility } = one.topic
  const retention = configs['retention.ms']
  const kept =
    retention === undefined
      ? 'as the broker says'
      : retention === '-1'
        ? 'for ever'
        : durationText(Number(retention))
  const change =
    one.change === 'conflict'
      ? `  has ${one.partitions} partitions`
      : one.change === 'alter'
        ? `  ${Object.entries(one.configs)
            .map(([key, value]) => `${key}=${value}`)
            .join(' ')}`
        : ''
  const contract = schema ?? (visibility === 'user' ? 'the producers’ own' : 'none')
  const subject = schema === null ? '-' : valueSubject(name)
  return [
    signs[one.change],
    name,
    String(partitions),
    configs['cleanup.policy']!,
    kept,
    contract,
    compatibility ?? '-',
    `${subject}${change}`,
  ]
}

/** Topics that an event passes on its longest way to a prediction. */
function hopsToPrediction(plan: Plan): number {
  const { features, predictions } = plan.services
  return features.stages.some((stage) => stage.entity !== null)
    ? 3 + predictions.stages.length
    : 2 + predictions.stages.length
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd(),
  )
}
