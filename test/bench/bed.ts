import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue, valueSubject } from '../../schemas/catalogue.ts'
import { connectRegistry } from '../../services/runtime/codec/registry.ts'
import { connectKafka, type Kafka } from '../../services/runtime/kafka/client.ts'
import { fillJournal } from './fill.ts'
import type { Keys } from './records.ts'
import type { ServiceOptions } from './service-run.ts'
import { applyBench, removeBench, topicsOf } from './stage.ts'

export interface Bed {
  readonly brokers: string
  readonly registry: string
  readonly say: (line: string) => void
}

/** The topics and the state folder of one bench service. */
export interface Plot extends AsyncDisposable {
  readonly name: string
  /** Its input topic. */
  readonly journal: string
  readonly kafka: Kafka
  /** What its process is started with. */
  readonly service: ServiceOptions
  /** Writes more records to its journal; resolves with the bytes of their values. */
  fill(from: number, to: number, keys: Keys): Promise<number>
}

/** Applies the topics of a bench service; disposing of it deletes them and the state. */
export async function openPlot({ brokers, registry: url }: Bed, kind: string): Promise<Plot> {
  const name = `bench-${kind}-${process.pid}-${Date.now()}`
  const kafka = connectKafka({ brokers: brokers.split(','), clientId: 'bench' })
  const registry = connectRegistry(url)
  await applyBench(kafka, registry, name)
  const { journal } = topicsOf(name)
  const id = await registry.idOf(valueSubject(journal.name), catalogue[journal.schema].schema)
  const writer = await kafka.plainWriter()
  const stateFolder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'))
  return {
    name,
    journal: journal.name,
    kafka,
    service: { name, brokers, registry: url, stateFolder },
    fill: async (from, to, keys) => (await fillJournal(writer, journal.name, id!, { from, to, keys })).bytes,
    async [Symbol.asyncDispose]() {
      await removeBench(kafka, name)
      await kafka.close()
      rmSync(stateFolder, { recursive: true, force: true })
    },
  }
}
