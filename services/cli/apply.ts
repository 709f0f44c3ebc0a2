import { Command } from 'commander'
import { catalogue, isRecordName, valueSubject } from '../../schemas/catalogue.ts'
import { canonicalJson } from '../../topologies/canonical.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { changesOf } from '../../topologies/describe.ts'
import { refusedChanges } from '../../topologies/evolution.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Plan, planOf } from '../../topologies/plan.ts'
import { topicOf } from '../../topologies/topics.ts'
import { recordCodec } from '../runtime/codec/avro.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Admin } from '../runtime/kafka/admin.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import { readApplied } from './applied.ts'
import { connect } from './connect.ts'
import { existingTopics } from './plan.ts'
import { firstUsed } from './reset.ts'

export function applyCommand(): Command {
  return new Command('apply')
    .description('create topics and schemas of a topology, and publish it as the one that services may run')
    .argument('<topology>', 'the topology file, or its folder')
    .action(async (path: string) => {
      const { topology, hash } = await loadTopology(path)
      await using connection = await connect('tidemark-apply')
      const created = await apply(connection.kafka, connection.registry, topology, hash)
      process.stdout.write(
        `applied ${topology.name} version ${topology.version}, hash ${hash}: ${created} topics created\n`,
      )
    })
}

/** Makes the broker and the registry fit the topology, then publishes it. Doing it twice changes nothing. */
export async function apply(
  kafka: Kafka,
  registry: Registry,
  topology: Topology,
  hash: string,
): Promise<number> {
  const plan = planOf(topology)
  const admin = await kafka.admin()
  try {
    await refuseChange(kafka, registry, admin, plan, topology)
    const created = await applyTopics(admin, plan)
    await applySchemas(registry, plan)
    await publish(kafka, registry, topology, hash)
    return created
  } finally {
    await admin.close()
  }
}

/** State that was made under one meaning is not read under another: the change is refused while there is any. */
async function refuseChange(
  kafka: Kafka,
  registry: Registry,
  admin: Admin,
  plan: Plan,
  topology: Topology,
): Promise<void> {
  const applied = await readApplied(kafka, registry, topology.name)
  if (applied === undefined) return
  const refused = refusedChanges(JSON.parse(applied.json) as Topology, topology)
  if (refused.length === 0) return
  const own = plan.topics.filter(({ kind }) => kind !== 'source' && kind !== 'topology')
  const used = await firstUsed(admin, own)
  if (used !== undefined) throw tidemarkError('TM_CHANGED', `${refused.join(', ')}; ${used} is not empty`)
}

async function applyTopics(admin: Admin, plan: Plan): Promise<number> {
  const changes = changesOf(plan, await existingTopics(admin, plan))
  for (const change of changes) {
    const { name, partitions } = change.topic
    if (change.change === 'conflict') {
      throw tidemarkError(
        'TM_TOPICS',
        `${name} has ${change.partitions} partitions, the topology wants ${partitions}`,
      )
    }
    if (change.change === 'alter') await admin.alterConfigs(name, { ...change.configs })
  }
  const missing = changes.filter(({ change }) => change === 'create').map(({ topic }) => topic)
  await admin.createTopics(
    missing.map(({ name, partitions, configs }) => ({ topic: name, partitions, configs: { ...configs } })),
  )
  return missing.length
}

async function applySchemas(registry: Registry, plan: Plan): Promise<void> {
  await Promise.all(
    plan.topics.map(async ({ name, schema: record }) => {
      if (record === null || !isRecordName(record)) return
      const { schema, compatibility } = catalogue[record]
      await registry.register(valueSubject(name), schema, compatibility)
    }),
  )
}

async function publish(kafka: Kafka, registry: Registry, topology: Topology, hash: string): Promise<void> {
  const topic = topicOf(topology.name, 'topology')
  const { schema, compatibility } = catalogue.TopologyRecord
  const id = await registry.register(valueSubject(topic), schema, compatibility)
  const record = {
    name: topology.name,
    version: topology.version,
    hash,
    json: canonicalJson(topology),
    appliedAt: Date.now(),
  }
  const value = recordCodec('TopologyRecord').encode(record, id)
  const writer = await kafka.writer({ transactionalId: `${topic}.apply` })
  await writer.commit([{ topic, partition: 0, records: [{ key: Buffer.from(topology.name), value }] }])
  await writer.close()
}
