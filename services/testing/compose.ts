import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashTopology } from '../../topologies/canonical.ts'
import { compile, isTopology } from '../../topologies/compile.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Plan, planOf } from '../../topologies/plan.ts'
import type { ServiceName } from '../../topologies/topics.ts'
import { serviceNames } from '../../topologies/topics.ts'
import type { TopologyDefinition } from '../../topologies/topology.ts'
import type { Composition } from '../composition.ts'
import { features } from '../features/service.ts'
import { outcomes } from '../outcomes/service.ts'
import { predictions } from '../predictions/service.ts'
import { reports } from '../reports/service.ts'
import { localRegistry } from '../runtime/codec/local-registry.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import { avroWire } from '../runtime/codec/wire.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Stage } from '../runtime/stage.ts'
import type { Wire } from '../runtime/wire.ts'

/** A topology as its services would run it, with a registry of its own. */
export interface Composed {
  readonly topology: Topology
  readonly hash: string
  readonly plan: Plan
  readonly wire: Wire
  readonly registry: Registry
  /** In the order in which records flow. */
  readonly stages: readonly Stage[]
}

const compositions: Record<ServiceName, (composition: Composition) => Promise<Stage[]>> = {
  features,
  predictions,
  outcomes,
  reports,
}

/**
 * @param source a file or folder, or what `topology(…)` gave; that one finds its models in `folder`
 * @throws TM_TOPOLOGY and what loading a topology or a model throws
 */
export async function compose(
  source: string | URL | TopologyDefinition,
  folder: string | undefined,
  services: readonly ServiceName[],
  registry: Registry = localRegistry(),
): Promise<Composed> {
  const needsModel = services.includes('predictions') || services.includes('reports')
  const loaded = await load(source, folder, needsModel)
  const { topology, hash } = loaded
  const plan = planOf(topology)
  const wire = await avroWire(registry, plan.topics)
  const bytes = { wire, registry }
  const stages: Stage[] = []
  for (const name of serviceNames) {
    if (!services.includes(name)) continue
    const part = { topology, hash, folder: loaded.folder, plan: plan.services[name].stages, bytes }
    stages.push(...(await compositions[name](part)))
  }
  return { topology, hash, plan, wire, registry, stages }
}

async function load(
  source: string | URL | TopologyDefinition,
  folder: string | undefined,
  needsModel: boolean,
): Promise<{ topology: Topology; hash: string; folder: string }> {
  const models = needsModel ? 'required' : 'optional'
  if (typeof source === 'string') return loadTopology(source, { models })
  if (source instanceof URL) return loadTopology(fileURLToPath(source), { models })
  if (!isTopology(source)) throw tidemarkError('TM_TOPOLOGY', 'neither a path nor what topology(…) gave')
  const topology = compile(source)
  if (needsModel && !topology.models.every(({ file }) => existsSync(join(folder ?? '', file))))
    throw tidemarkError(
      'TM_TOPOLOGY',
      `${topology.name} has a model: open it by its path, or leave its services out: { services: ['features'] }`,
    )
  return { topology, hash: hashTopology(topology), folder: folder ?? dirname('.') }
}
