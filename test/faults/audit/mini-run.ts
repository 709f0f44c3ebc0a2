import { createHash } from 'node:crypto'
import { openMemoryRun } from '../../../services/runtime/in-memory.ts'
import { compose } from '../../../services/testing/compose.ts'
import type { LoadedTopology } from '../../../topologies/load.ts'
import { loadTopology } from '../../../topologies/load.ts'
import { stagesOf } from '../../../topologies/plan.ts'
import { serviceNames, topicOf } from '../../../topologies/topics.ts'
import { createWorkload, type Drawn } from '../rig/workload.ts'
import { writeTopology } from '../topology/write.ts'
import { avroType, type Fields } from './avro.ts'
import type { LedgerLine } from './ledger.ts'
import { partitionOfKey } from './partitioner.ts'
import type { StoredRecord } from './source.ts'

/** The topics of a finished run without a fault, in memory, for whoever wants to put faults into them. */
export interface MiniRun {
  readonly loaded: LoadedTopology
  readonly topics: ReadonlyMap<string, readonly (readonly StoredRecord[])[]>
  readonly schemas: ReadonlyMap<number, string>
  readonly ledger: readonly LedgerLine[]
}

const startMs = Date.UTC(2026, 0, 5, 12)
const stepMs = 500

/** Runs the suite's topology and workload through the services' own stages, without a broker, to the end of its inputs. */
export async function recordMiniRun(folder: string, seed: number, steps: number): Promise<MiniRun> {
  const path = writeTopology(folder, 'mini')
  const composed = await compose(path, undefined, serviceNames)
  const { topology, hash, wire, stages, plan, registry } = composed
  const controlTopic = topicOf(topology.name, 'control')
  const run = await openMemoryRun({ wire, topologyHash: hash, controlTopic, stages, commitEvery: 5 })
  const workload = createWorkload(seed)
  const ledger: LedgerLine[] = []
  for (let step = 0; step < steps; step++) {
    const nowMs = startMs + step * stepMs
    for (const drawn of workload.draw(12, nowMs)) {
      const { partitions, topic } = topology.streams[`${topology.name}.${drawn.stream}`]!
      const record = { key: Buffer.from(drawn.key), value: bytesOf(drawn.value) }
      ledger.push(lineOf(drawn, topic, ledger.length, record.value))
      await run.append(topic, partitionOfKey(record.key, partitions), [record], nowMs)
    }
    await run.advance(stepMs)
  }
  await run.endOf(Object.values(topology.streams))
  await run.finish()
  await run.save()
  const topics = new Map(plan.topics.map(({ name, partitions }) => [name, read(name, partitions)]))
  const schemas = new Map<number, string>()
  for (const [id, stored] of await registry.schemas(new Set(Array.from({ length: 40 }, (_, id) => id)))) {
    if (stored.known) schemas.set(id, JSON.stringify(stored.schema))
  }
  await run.close()
  if (!stagesOf(plan).every(({ changelog }) => topics.get(changelog.topic)!.length > 0))
    throw new Error('a stage of the mini run has no changelog')
  return { loaded: await loadTopology(path), topics, schemas, ledger }

  function read(topic: string, partitions: number): StoredRecord[][] {
    return Array.from({ length: partitions }, (_, partition) => {
      const records = run.log.read({ topic, partition }, 0, Number.POSITIVE_INFINITY)
      return records.map(({ offset, timestamp, key, value }) => ({ offset, timestamp, key, value }))
    })
  }
}

function bytesOf(value: Drawn['value']): Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value
  return Buffer.from(JSON.stringify(value))
}

function lineOf({ kind, id, key }: Drawn, topic: string, n: number, value: Buffer | null): LedgerLine {
  const sha256 = createHash('sha256')
    .update(value ?? Buffer.alloc(0))
    .digest('hex')
  return { n, topic, key, kind, id: id ?? '', sha256 }
}

/** A copy of a run's topics into which faults can be put. */
export interface Tampering {
  readonly topics: Map<string, StoredRecord[][]>
  /** All records of a topic, decoded, tombstones left out. */
  read(topic: string): { readonly partition: number; readonly place: number; readonly fields: Fields }[]
  /** Writes a changed record over the one that is there. */
  write(topic: string, partition: number, place: number, fields: Fields): void
  remove(topic: string, partition: number, place: number): void
  /** Appends another record behind the last. */
  append(topic: string, partition: number, like: StoredRecord, fields: Fields): void
}

export function tamperWith({ topics, schemas }: MiniRun): Tampering {
  const copy = new Map([...topics].map(([topic, logs]) => [topic, logs.map((records) => [...records])]))
  const types = new Map([...schemas].map(([id, schema]) => [id, avroType(JSON.parse(schema))]))
  const decode = (value: Buffer): Fields =>
    types.get(value.readInt32BE(1))!.fromBuffer(value.subarray(5)) as Fields
  const encode = (like: Buffer, fields: Fields): Buffer =>
    Buffer.concat([like.subarray(0, 5), types.get(like.readInt32BE(1))!.toBuffer(fields)])
  return {
    topics: copy,
    read: (topic) =>
      copy
        .get(topic)!
        .flatMap((records, partition) =>
          records.flatMap(({ value }, place) =>
            value === null ? [] : [{ partition, place, fields: decode(value) }],
          ),
        ),
    write(topic, partition, place, fields) {
      const records = copy.get(topic)![partition]!
      const record = records[place]!
      records[place] = { ...record, value: encode(record.value!, fields) }
    },
    remove: (topic, partition, place) => {
      copy.get(topic)![partition]!.splice(place, 1)
    },
    append(topic, partition, like, fields) {
      const records = copy.get(topic)![partition]!
      const offset = records.at(-1)!.offset + 1
      records.push({ ...like, offset, value: encode(like.value!, fields) })
    },
  }
}
