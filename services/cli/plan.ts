import { Command } from 'commander'
import { catalogue, isRecordName, valueSubject } from '../../schemas/catalogue.ts'
import { describePlan, type ExistingTopic } from '../../topologies/describe.ts'
import { loadTopology } from '../../topologies/load.ts'
import { type Plan, planOf } from '../../topologies/plan.ts'
import type { Registry } from '../runtime/codec/registry.ts'
import type { Admin } from '../runtime/kafka/admin.ts'
import { connect, isGiven } from './connect.ts'

export function planCommand(): Command {
  return new Command('plan')
    .description('show the stages, hops and tasks of a topology, and what `apply` would create or change')
    .argument('<topology>', 'the topology file, or its folder')
    .option('--offline', 'do not look at a broker: everything is shown as new')
    .action(async (path: string, { offline }: { offline?: boolean }) => {
      const { topology, hash } = await loadTopology(path, { models: 'optional' })
      const plan = planOf(topology)
      const text = [`${topology.name} version ${topology.version}, hash ${hash}`]
      if (offline || !(await isGiven())) text.push(describePlan(plan), 'No broker was looked at.')
      else text.push(...(await compare(plan)))
      process.stdout.write(`${text.join('\n')}\n`)
    })
}

async function compare(plan: Plan): Promise<string[]> {
  await using connection = await connect('tidemark-plan')
  const admin = await connection.kafka.admin()
  const existing = await existingTopics(admin, plan)
  await admin.close()
  return [describePlan(plan, existing), 'Schemas', ...(await schemaChanges(connection.registry, plan))]
}

/** The topics of a plan that the broker has. */
export async function existingTopics(admin: Admin, plan: Plan): Promise<ExistingTopic[]> {
  const described = await admin.describeTopics(plan.topics.map(({ name }) => name))
  return [...described].map(([name, { partitions, configs }]) => ({ name, partitions, configs }))
}

async function schemaChanges(registry: Registry, plan: Plan): Promise<string[]> {
  const lines: string[] = []
  for (const { name, schema } of plan.topics) {
    if (schema === null || !isRecordName(schema)) continue
    const entry = catalogue[schema]
    const { action, detail } = await registry.plan(valueSubject(name), entry.schema, entry.compatibility)
    lines.push(`  ${action.padEnd(7)} ${valueSubject(name)} (${detail})`)
  }
  return lines
}
