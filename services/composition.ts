import type { Topology } from '../topologies/compiled.ts'
import type { Stage as PlannedStage } from '../topologies/plan.ts'
import type { Bytes } from './runtime/read.ts'

/** What a service is composed from: its part of the plan, the topology, and the way to bytes. */
export interface Composition {
  readonly topology: Topology
  readonly hash: string
  /** The topology's folder, where models and profiles are. */
  readonly folder: string
  readonly plan: readonly PlannedStage[]
  /** Null when the stages run in memory, on records that were never bytes. */
  readonly bytes: Bytes | null
}

/** The planned stage of a name; its absence is a defect of the plan. */
export function plannedStage({ plan }: Pick<Composition, 'plan'>, name: string): PlannedStage {
  const stage = plan.find((each) => each.name === name)
  if (stage === undefined) throw new Error(`the plan has no stage ${name}`)
  return stage
}
