import { Command } from 'commander'
import { loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { type ServiceName, topicOf } from '../../topologies/topics.ts'
import type { Composition } from '../composition.ts'
import { features } from '../features/service.ts'
import { outcomes } from '../outcomes/service.ts'
import { predictions } from '../predictions/service.ts'
import { reports } from '../reports/service.ts'
import { avroWire } from '../runtime/codec/wire.ts'
import { describeError, tidemarkError } from '../runtime/errors.ts'
import { createLog } from '../runtime/log.ts'
import { runService, type Service } from '../runtime/run.ts'
import type { Stage } from '../runtime/stage.ts'
import { readApplied } from './applied.ts'
import { connect } from './connect.ts'

const compositions: Record<ServiceName, (composition: Composition) => Promise<Stage[]>> = {
  features,
  predictions,
  outcomes,
  reports,
}

export function startCommand(): Command {
  return new Command('start')
    .description('run one service of an applied topology until SIGTERM')
    .argument('<service>', Object.keys(compositions).join(', '))
    .requiredOption('--topology <path>', 'the topology file, or its folder')
    .action(async (service: string, { topology }: { topology: string }) => {
      if (!(service in compositions)) {
        throw tidemarkError(
          'TM_USAGE',
          `${service} is no service; there are ${Object.keys(compositions).join(', ')}`,
        )
      }
      await start(service as ServiceName, topology)
    })
}

async function start(name: ServiceName, path: string): Promise<void> {
  using stop = listenForStop()
  const { topology, folder, hash } = await loadTopology(path)
  await using connection = await connect(`tidemark-${name}`)
  const { config, kafka, registry } = connection
  const log = createLog(name, config.instance, config.logLevel)
  const applied = await readApplied(kafka, registry, topology.name)
  if (applied === undefined) throw tidemarkError('TM_NOT_APPLIED', topology.name)
  if (applied.hash !== hash) throw tidemarkError('TM_HASH_DIFFERS', `applied ${applied.hash}, here ${hash}`)
  const plan = planOf(topology)
  const wire = await avroWire(registry, plan.topics)
  const planned = plan.services[name]
  const stages = await compositions[name]({
    topology,
    hash,
    folder,
    plan: planned.stages,
    bytes: { wire, registry },
  })
  const service: Service = {
    name,
    topology: topology.name,
    topologyHash: hash,
    group: planned.group,
    controlTopic: topicOf(topology.name, 'control'),
    alignmentMs: topology.alignmentMs,
    stages,
  }
  const running = await runService(service, config, kafka, wire, log)
  log.info({ port: running.port, hash }, 'started')
  process.send?.({ port: running.port })
  if (!process.send) process.stdout.write(`${name} answers on http://${config.httpHost}:${running.port}\n`)
  try {
    await Promise.race([stop.asked, running.ended])
  } catch (error) {
    log.fatal(describeError(error))
    process.exit(1)
  }
  await running.stop()
  log.info('stopped')
}

interface StopRequest extends Disposable {
  /** Resolves at SIGTERM or SIGINT, also when that came before the service was up. */
  readonly asked: Promise<void>
}

/** Listens from the beginning: a service that is stopped while it starts must leave its group too. */
function listenForStop(): StopRequest {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  // Whoever started this process has died: nobody would stop it.
  const orphaned = () => process.exit(1)
  process.once('SIGTERM', resolve)
  process.once('SIGINT', resolve)
  process.once('disconnect', orphaned)
  // Listening for the end of the parent would keep this process alive.
  return { asked, [Symbol.dispose]: () => process.off('disconnect', orphaned) }
}
