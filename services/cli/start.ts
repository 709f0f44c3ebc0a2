import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { type LoadedTopology, loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { type ServiceName, topicOf } from '../../topologies/topics.ts'
import type { Composition } from '../composition.ts'
import { avroWire } from '../runtime/codec/wire.ts'
import { describeError, errorTable, isTidemarkError, tidemarkError } from '../runtime/errors.ts'
import { KafkaUnavailable } from '../runtime/kafka/failures.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { watchPlacement } from '../runtime/placement.ts'
import { runService, type Service } from '../runtime/run.ts'
import type { Stage } from '../runtime/stage.ts'
import type { Wire } from '../runtime/wire.ts'
import { readApplied } from './applied.ts'
import { type Connection, connect } from './connect.ts'

/** Each service loads what it needs itself: only one of them needs ONNX. */
const compositions: Record<ServiceName, (composition: Composition) => Promise<Stage[]>> = {
  features: async (of) => (await import('../features/service.ts')).features(of),
  predictions: async (of) => (await import('../predictions/service.ts')).predictions(of),
  outcomes: async (of) => (await import('../outcomes/service.ts')).outcomes(of),
  reports: async (of) => (await import('../reports/service.ts')).reports(of),
}

export function startCommand(): Command {
  return new Command('start')
    .description('run one service of an applied topology until SIGTERM')
    .argument('<service>', Object.keys(compositions).join(', '))
    .requiredOption('--topology <path>', 'the topology file, or its folder')
    .action(async (service: string, { topology }: { topology: string }) => {
      if (!Object.hasOwn(compositions, service)) {
        throw tidemarkError(
          'TM_USAGE',
          `${service} is no service; there are ${Object.keys(compositions).join(', ')}`,
        )
      }
      await start(service as ServiceName, topology)
    })
}

/** Starts as soon as Kafka and the registry answer, and serves until it is asked to stop. */
async function start(name: ServiceName, path: string): Promise<void> {
  using stop = listenForStop()
  const loaded = await loadTopology(path)
  while (!stop.isAsked) {
    try {
      return await serve(name, loaded, stop)
    } catch (error) {
      if (!isPassing(error)) throw error
      process.stderr.write(`${describeError(error)}\n`)
      await Promise.race([stop.asked, sleep(1_000)])
    }
  }
}

/** What is away may come back; a service that waits for it needs nobody to start it again. */
function isPassing(error: unknown): boolean {
  if (error instanceof KafkaUnavailable) return true
  return isTidemarkError(error) && errorTable[error.code].retriable
}

async function serve(name: ServiceName, loaded: LoadedTopology, stop: StopRequest): Promise<void> {
  await using connection = await connect(`tidemark-${name}`)
  const { config, kafka } = connection
  const log = createLog(name, config.instance, config.logLevel)
  const { service, wire } = await compose(name, loaded, connection, log)
  const running = await runService(service, config, kafka, wire, log)
  log.info({ port: running.port, hash: loaded.hash }, 'started')
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

/** @throws TM_NOT_APPLIED, TM_HASH_DIFFERS: only the applied topology runs */
async function compose(
  name: ServiceName,
  { topology, folder, hash }: LoadedTopology,
  { kafka, registry }: Connection,
  log: Log,
): Promise<{ service: Service; wire: Wire }> {
  const applied = await readApplied(kafka, registry, topology.name)
  if (applied === undefined) throw tidemarkError('TM_NOT_APPLIED', topology.name)
  if (applied.hash !== hash) throw tidemarkError('TM_HASH_DIFFERS', `applied ${applied.hash}, here ${hash}`)
  const plan = planOf(topology)
  const wire = await avroWire(registry, plan.topics)
  const { group, stages } = plan.services[name]
  const placement = watchPlacement((found) => log.warn(found, describeError(tidemarkError('TM_PARTITIONER'))))
  const bytes = { wire, registry, placement }
  const service = {
    name,
    topology: topology.name,
    topologyHash: hash,
    group,
    controlTopic: topicOf(topology.name, 'control'),
    alignmentMs: topology.alignmentMs,
    stages: await compositions[name]({ topology, hash, folder, plan: stages, bytes }),
    placement,
  }
  return { service, wire }
}

interface StopRequest extends Disposable {
  /** Resolves at SIGTERM or SIGINT, also when that came before the service was up. */
  readonly asked: Promise<void>
  readonly isAsked: boolean
}

/** Listens from the beginning: a service that is stopped while it starts must leave its group too. */
function listenForStop(): StopRequest {
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  let isAsked = false
  const ask = () => {
    isAsked = true
    resolve()
  }
  // Whoever started this process has died: nobody would stop it.
  const orphaned = () => process.exit(1)
  process.once('SIGTERM', ask)
  process.once('SIGINT', ask)
  process.once('disconnect', orphaned)
  // Listening for the end of the parent would keep this process alive.
  return {
    asked,
    get isAsked() {
      return isAsked
    },
    [Symbol.dispose]: () => process.off('disconnect', orphaned),
  }
}
