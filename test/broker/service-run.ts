import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DeadLetter } from '../../schemas/types.ts'
import { type Letter, readLetters } from '../../services/cli/dead-letters-topic.ts'
import { emptyTopics } from '../../services/cli/reset.ts'
import { connectRegistry, type Registry } from '../../services/runtime/codec/registry.ts'
import { decodeSource } from '../../services/runtime/codec/source.ts'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'
import { readTopic } from '../../services/runtime/read-topic.ts'
import { loadTopology } from '../../topologies/load.ts'
import { planOf } from '../../topologies/plan.ts'
import { type Child, openPlace, type Place, repository, until, within } from '../end-to-end/command.ts'
import { connect } from './kafka-support.ts'

export const partitions = 4

/** The flight topology under a name of its own, applied, with two more fields to break. */
export interface ServiceRun extends AsyncDisposable {
  readonly name: string
  readonly departures: string
  readonly landings: string
  readonly place: Place
  readonly kafka: Kafka
  readonly registry: Registry
  /** `tidemark start`, resolved when it says where it answers. */
  start(service: string, settings?: NodeJS.ProcessEnv): Promise<RunningService>
  /** One record batch. @returns the offset of its first record */
  produce(topic: string, partition: number, ...records: OutRecord[]): Promise<number>
  letters(): Promise<Letter[]>
  /** Ids of the feature vectors, sorted. */
  vectorIds(): Promise<string[]>
}

export interface RunningService {
  readonly child: Child
  readonly address: string
  stop(): Promise<void>
}

export async function openServiceRun(): Promise<ServiceRun> {
  const place = openPlace()
  const kafka = connect()
  const registry = connectRegistry(place.env['SCHEMA_REGISTRY_URL']!)
  const name = `poison-${randomUUID().slice(0, 8)}`
  const [departures, landings] = [`${name}.departures`, `${name}.landings`]
  const topology = copyTopology(place, name)
  await createSources(kafka, departures, landings)
  const plan = planOf((await loadTopology(topology)).topology)
  const applied = await place.run(['apply', topology])
  if (applied.code !== 0) throw new Error(applied.stderr)
  const writer = await kafka.plainWriter()
  return {
    ...{ name, departures, landings, place, kafka, registry },
    async start(service, settings) {
      const child = place.start(['start', service, '--topology', topology], settings)
      const answers = until(
        `${service} says where it answers`,
        60_000,
        async () => /http:\/\/[\d.]+:\d+/.exec(child.stdout())?.[0],
      )
      const died = child.ended.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`)))
      const address = await Promise.race([answers, died])
      died.catch(() => {})
      return { child, address, stop: () => stop(child) }
    },
    async produce(topic, partition, ...records) {
      const [produced] = await writer.write([{ topic, partition, records }])
      return produced!.baseOffset
    },
    async letters() {
      const letters: Letter[] = []
      for await (const letter of readLetters({ kafka, registry }, name)) letters.push(letter)
      return letters
    },
    async vectorIds() {
      const ids: string[] = []
      for await (const { value } of readTopic(kafka, `${name}.features`)) {
        const decoded = await decodeSource(value, registry)
        if (decoded.ok) ids.push(String(decoded.value['id']))
      }
      return ids.toSorted()
    },
    async [Symbol.asyncDispose]() {
      // Services first: they would miss their topics.
      await place[Symbol.asyncDispose]()
      await emptyTopics(kafka, plan)
      await kafka.close()
    },
  }
}

export interface Flight {
  readonly flight: string
  readonly departed: number
  readonly origin: string
  readonly destination: string
  readonly distance: number
  readonly fare: number
  readonly cabin: string
}

/** A flight that keeps the contract and left a moment ago. */
export function goodFlight(flight: string): Flight {
  const route = { origin: 'ATL', destination: 'ORD', distance: 606 }
  return { flight, departed: Date.now() - 1_000, ...route, fare: 99.5, cabin: 'economy' }
}

export function jsonRecord(value: unknown, key: string | null = 'ATL'): OutRecord {
  return { key: key === null ? null : Buffer.from(key), value: Buffer.from(JSON.stringify(value)) }
}

/** Where the record of a letter stood. */
export function standingOf({ topic, partition, offset }: Pick<DeadLetter, 'topic' | 'partition' | 'offset'>) {
  return `${topic}:${partition}:${offset}`
}

/** Models and profiles stay what they are: the fields that are added belong to no feature. */
function copyTopology(place: Place, name: string): string {
  const folder = join(place.folder, name)
  const flightDelay = join(repository, 'topologies', 'flight-delay')
  mkdirSync(folder)
  cpSync(join(flightDelay, 'model'), join(folder, 'model'), {
    recursive: true,
    filter: (path) => !path.includes('.venv'),
  })
  const distance = "distance: integer({ unit: 'mi', range: [20, 6000] }),"
  const added = "fare: number({ range: [-1, 10_000] }), cabin: string({ oneOf: ['economy', 'business'] }),"
  const text = readFileSync(join(flightDelay, 'topology.ts'), 'utf8')
    .replace("topology('flight-delay'", `topology('${name}'`)
    .replaceAll("'flights.", `'${name}.`)
    .replace(distance, `${distance} ${added}`)
  writeFileSync(join(folder, 'topology.ts'), text)
  return folder
}

/** As somebody else would have made them: producers set the timestamps, and records may be larger than usual. */
async function createSources(kafka: Kafka, ...topics: string[]): Promise<void> {
  const configs = { 'message.timestamp.type': 'CreateTime', 'max.message.bytes': String(4 << 20) }
  const admin = await kafka.admin()
  await admin.createTopics(topics.map((topic) => ({ topic, partitions, configs })))
  await admin.close()
}

async function stop(child: Child): Promise<void> {
  child.kill('SIGTERM')
  const { code, stderr } = await within(30_000, child, 'the service, after SIGTERM')
  if (code !== 0) throw new Error(`the service ended with ${code}: ${stderr.slice(-3_000)}`)
}
