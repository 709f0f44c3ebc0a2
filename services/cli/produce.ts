import { Command } from 'commander'
import type { DemoRecord } from '../../topologies/demo.ts'
import { loadTopology } from '../../topologies/load.ts'
import { tidemarkError } from '../runtime/errors.ts'
import { connect } from './connect.ts'
import { openFeed } from './feed.ts'
import { readRecords } from './history.ts'

interface ProduceOptions {
  readonly file: string
  readonly key?: string
  readonly topology?: string
  readonly perSecond?: string
}

export function produceCommand(): Command {
  return new Command('produce')
    .description('write the records of a JSONL or CSV file to a topic, as JSON')
    .argument('<topic>', 'an existing topic')
    .requiredOption('--file <path>', 'a .jsonl or .csv file')
    .option(
      '--key <field>',
      'the field whose value is the Kafka key; without it, all records go to partition 0',
    )
    .option('--topology <path>', 'types CSV columns as the contract of this topology says')
    .option('--per-second <n>', 'records per second; as fast as Kafka takes them if left out')
    .action(produce)
}

async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const rate = options.perSecond === undefined ? undefined : Number(options.perSecond)
  if (rate !== undefined && !(rate > 0))
    throw tidemarkError('TM_USAGE', '--per-second takes a number above 0')
  const loaded =
    options.topology === undefined ? undefined : await loadTopology(options.topology, { models: 'optional' })
  await using connection = await connect('tidemark-produce')
  const admin = await connection.kafka.admin()
  const described = (await admin.describeTopics([topic])).get(topic)
  await admin.close()
  if (described === undefined) throw tidemarkError('TM_TOPICS', `${topic} does not exist`)
  const { feed, close } = await openFeed(
    connection.kafka,
    connection.registry,
    { [topic]: 'json' },
    () => described.partitions,
    (line) => process.stderr.write(`${line}\n`),
  )
  const records: DemoRecord[] = []
  for await (const value of readRecords(options.file, loaded?.topology.streams[topic])) {
    records.push({ topic, key: keyOf(value, options.key), value: value as Record<string, unknown> })
  }
  if (rate === undefined) await feed.pour(records)
  else await feed.trickle(records, rate, () => {})
  await close()
  process.stdout.write(`${feed.produced.get(topic) ?? 0} records written to ${topic}\n`)
}

function keyOf(value: unknown, field: string | undefined): string | null {
  if (field === undefined) return null
  const known = typeof value === 'object' && value !== null && Object.hasOwn(value, field)
  const key = known ? (value as Record<string, unknown>)[field] : undefined
  if (key === undefined || key === null)
    throw tidemarkError('TM_USAGE', `a record has no field ${field} to be its key`)
  return String(key)
}
