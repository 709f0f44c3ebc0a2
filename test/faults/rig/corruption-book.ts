import type { Plan } from '../../../topologies/plan.ts'
import type { CorruptionKind } from './corruption.ts'
import type { LogLine, ServiceProcess } from './service-process.ts'
import type { Tally } from './tally.ts'

/** Which stores have been damaged and not been opened since: a damage that nobody meets is not a fault. */
export interface CorruptionBook {
  damaged(service: string, instance: string, stageId: string, index: number, kind: CorruptionKind): void
  line(process: ServiceProcess, line: LogLine): void
  readonly kinds: ReadonlyMap<CorruptionKind, number>
}

export function createCorruptionBook(plan: Plan, tally: Tally): CorruptionBook {
  const open = new Map<string, CorruptionKind>()
  const kinds = new Map<CorruptionKind, number>()
  const writers = new Map<string, string>()
  for (const { name, stages } of Object.values(plan.services))
    for (const { id, tasks } of stages)
      for (const { index, writer } of tasks) writers.set(`${name}/${id}/${index}`, writer)
  return {
    kinds,
    damaged(service, instance, stageId, index, kind) {
      open.set(`${service}-${instance} ${writers.get(`${service}/${stageId}/${index}`)}`, kind)
    },
    line({ service, instance }, { msg, task }) {
      if (msg !== 'restored' && !msg.startsWith('the local store was')) return
      const key = `${service}-${instance} ${task}`
      const kind = open.get(key)
      if (kind === undefined) return
      open.delete(key)
      tally.corruptions += 1
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    },
  }
}
