import { connectRegistry } from '../../services/runtime/codec/registry.ts'
import { avroWire } from '../../services/runtime/codec/wire.ts'
import { compileConfig } from '../../services/runtime/config.ts'
import { connectKafka, type Kafka } from '../../services/runtime/kafka/client.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runService } from '../../services/runtime/run.ts'
import { createMeter, type Meters } from './meter.ts'
import { benchService, topicsOf } from './stage.ts'

export interface ServiceOptions {
  /** The prefix of its topics. */
  readonly name: string
  readonly brokers: string
  readonly registry: string
  readonly stateFolder: string
  /** Ends by itself when so many records are committed; without it, it runs until it is killed. */
  readonly records?: number
  /** Tells its memory whenever so many records more are committed. */
  readonly sampleEvery?: number
}

export type Phase = 'node' | 'imports' | 'registry' | 'joined' | 'opened' | 'fenced' | 'read' | 'committed'

export type ServiceNews =
  | { readonly kind: 'phase'; readonly phase: Phase; readonly atMs: number; readonly cpuMs: number }
  | ({ readonly kind: 'sample'; readonly records: number } & MemorySample)
  | { readonly kind: 'done'; readonly meters: Meters; readonly commitMs: readonly number[] }
  | { readonly kind: 'failed'; readonly message: string }

export interface MemorySample {
  readonly rssMb: number
  readonly heapMb: number
  readonly buffersMb: number
  readonly wallMs: number
}

const told = new Set<Phase>()

/** The bench service, as the process was asked for it. It is run by the same `runService` as all others. */
export async function runBench(options: ServiceOptions): Promise<void> {
  tellPhase('node', performance.timeOrigin + performance.nodeTiming.bootstrapComplete)
  tellPhase('imports')
  process.once('disconnect', () => process.exit(1))
  await run(options).catch((error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    process.exitCode = 1
  })
}

async function run(options: ServiceOptions): Promise<void> {
  const { name, records = Number.POSITIVE_INFINITY, sampleEvery = Number.POSITIVE_INFINITY } = options
  const environment = {
    KAFKA_BROKERS: options.brokers,
    SCHEMA_REGISTRY_URL: options.registry,
    TIDEMARK_STATE: options.stateFolder,
    TIDEMARK_LOG_LEVEL: 'debug',
  }
  const config = compileConfig(environment, options.stateFolder)
  const kafka = connectKafka({ brokers: [...config.brokers], clientId: 'bench' })
  const registry = connectRegistry(config.registry)
  const topics = Object.values(topicsOf(name)).map((topic) => ({ name: topic.name, schema: topic.schema }))
  const wire = await avroWire(registry, topics)
  tellPhase('registry')

  const meter = createMeter(records)
  const finished = Promise.withResolvers<void>()
  const commitMs: number[] = []
  let committed = 0
  const note = (count: number, durationMs: number) => {
    tellPhase('committed')
    const before = committed
    committed += count
    commitMs.push(durationMs)
    if (Math.floor(committed / sampleEvery) > Math.floor(before / sampleEvery)) tellMemory(committed)
    if (before < records && committed >= records) finished.resolve()
  }
  const service = benchService(name, { wire, registry }, (count) => {
    tellPhase('read')
    meter.come(count)
  })
  const log = createLog('bench', config.instance, config.logLevel)
  const running = await runService(
    service,
    config,
    watched(kafka, topicsOf(name).parts.name, note),
    wire,
    log,
  )
  await Promise.race([finished.promise, running.ended])
  // The store is written behind the commit.
  await new Promise((resolve) => setTimeout(resolve, 30))
  tell({ kind: 'done', meters: meter.end(), commitMs })
  await running.stop()
  await kafka.close()
  process.disconnect?.()
}

/** Kafka as it is, with its writer and its member telling what they do. */
function watched(kafka: Kafka, outputs: string, note: (records: number, durationMs: number) => void): Kafka {
  return {
    ...kafka,
    member(options) {
      const onAssigned: typeof options.onAssigned = (partitions, memberId) => {
        tellPhase('joined')
        options.onAssigned(partitions, memberId)
      }
      return kafka.member({ ...options, onAssigned })
    },
    async writer(options) {
      tellPhase('opened')
      const writer = await kafka.writer(options)
      tellPhase('fenced')
      const commit = writer.commit.bind(writer)
      writer.commit = async (...batches) => {
        const startedMs = performance.now()
        const produced = await commit(...batches)
        const of = produced.filter(({ topic }) => topic === outputs)
        const records = of.reduce((sum, { count }) => sum + count, 0)
        if (records > 0) note(records, performance.now() - startedMs)
        return produced
      }
      return writer
    },
  }
}

function tellPhase(phase: Phase, atMs = performance.timeOrigin + performance.now()): void {
  if (told.has(phase)) return
  told.add(phase)
  const { user, system } = process.cpuUsage()
  tell({ kind: 'phase', phase, atMs, cpuMs: (user + system) / 1000 })
}

function tellMemory(records: number): void {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  const sample = { rssMb: megabytes(rss), heapMb: megabytes(heapUsed), buffersMb: megabytes(arrayBuffers) }
  tell({ kind: 'sample', records, ...sample, wallMs: Math.round(performance.now()) })
}

function tell(news: ServiceNews): void {
  process.send?.(news)
}
