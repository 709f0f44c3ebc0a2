import type { LoadedTopology } from '../../../topologies/load.ts'
import type { Plan, Stage, TaskSpec } from '../../../topologies/plan.ts'
import type { Decoder } from './avro.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { Findings } from './findings.ts'
import type { Ledger } from './ledger.ts'
import type { PartitionLog, RecordSource } from './source.ts'
import type { Written } from './written.ts'

/** What all checks of one audit share. */
export interface AuditContext extends LoadedTopology {
  readonly plan: Plan
  readonly source: RecordSource
  readonly decoder: Decoder
  readonly findings: Findings
  readonly ledger: Ledger | undefined
  /** What each task wrote into all topics, by its writer. */
  readonly written: ReadonlyMap<string, Written>
  readonly checkpoints: ReadonlyMap<string, Checkpoints>
  /** Whether a place of a log of ours holds a mark: time without data. */
  isMark(log: PartitionLog, place: number): boolean
  /** Records that follow from one which no reader may see; what follows from them does so too. */
  readonly tainted: Set<string>
  isAtLeastOnce(writer: string): boolean
}

export function inputLog({ source }: Pick<AuditContext, 'source'>, task: TaskSpec): PartitionLog {
  const found = source.partitions(task.topic).find(({ partition }) => partition === task.partition)
  const nothing = { topic: task.topic, partition: task.partition, size: 0, offsets: [] }
  return found ?? { ...nothing, at: () => ({ offset: 0, timestamp: 0, key: null, value: null }) }
}

/**
 * The writers whose word on event time counts for a task: all of the partition that it reads, as the plan has them; for
 * verdicts only those that count predictions, since drift must not wait for labels.
 */
export function upstreamsOf(stage: Stage, { topic, partition }: TaskSpec): readonly string[] {
  const input = stage.inputs.find((each) => each.topic === topic)!
  if (stage.name === 'verdict')
    return input.writers.filter((writer) => writer.split('/')[1]?.endsWith('.predictions'))
  return input.own ? input.writers.filter((writer) => writer.endsWith(`/${partition}`)) : input.writers
}

export function stageNamed({ plan }: Pick<AuditContext, 'plan'>, name: string): Stage {
  const stages = Object.values(plan.services).flatMap((service) => service.stages)
  return stages.find((stage) => stage.name === name)!
}
