import { setTimeout as sleep } from 'node:timers/promises'
import type { Control } from '../../../schemas/types.ts'
import { audit } from '../../../services/cli/audit.ts'
import { balance } from '../../../services/cli/books.ts'
import { announceEnd } from '../../../services/cli/ending.ts'
import { readAll } from '../../../services/cli/read-all.ts'
import type { Kafka } from '../../../services/runtime/kafka/client.ts'
import type { Wire } from '../../../services/runtime/wire.ts'
import type { Topology } from '../../../topologies/compiled.ts'
import { planOf, stagesOf } from '../../../topologies/plan.ts'
import { topicOf } from '../../../topologies/topics.ts'

/** Says where the inputs end; nothing is produced after that. */
export async function declareEnd(kafka: Kafka, wire: Wire, topology: Topology): Promise<void> {
  await announceEnd(kafka, wire, topology)
}

/** Resolves with the tasks that have not said that they are done: none, unless the time was up before. */
export async function untilAllEnded(
  kafka: Kafka,
  wire: Wire,
  topology: Topology,
  limitMs: number,
): Promise<string[]> {
  const control = topicOf(topology.name, 'control')
  const writers = stagesOf(planOf(topology)).flatMap(({ tasks }) => tasks.map(({ writer }) => writer))
  const deadlineMs = performance.now() + limitMs
  for (;;) {
    const entries = await readAll<Control>(kafka, wire, control, 'Control')
    const ended = new Set(entries.filter(({ value }) => value.ended).map(({ value }) => value.writer))
    const missing = writers.filter((writer) => !ended.has(writer))
    if (missing.length === 0 || performance.now() > deadlineMs) return missing
    await sleep(500)
  }
}

/** What does not add up in the books of the topology's own audit; a stage that repeats itself has no such books. */
export async function wrongBooks(kafka: Kafka, wire: Wire, topology: Topology): Promise<string[]> {
  const { equations } = balance((await audit(kafka, wire, topology)).counted)
  return equations
    .filter(({ holds }) => !holds)
    .map(({ name, left, right }) => `the books: ${name}: ${left} ≠ ${right}`)
}
