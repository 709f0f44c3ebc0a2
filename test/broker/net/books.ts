import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dumpTopics } from '../../faults/audit/dump.ts'

/** What must be visible in a partition of a topic, whoever reads it. */
export interface Entry {
  readonly scenario: string
  readonly topic: string
  readonly partition: number
  readonly values: readonly string[]
}

export interface Seen {
  /** Scenario and partition, with the values that Apache Kafka's own consumer reads, read_committed. */
  readonly values: Map<string, string[]>
  /** Records that are in the topics and that no reader of committed data gets. */
  readonly hidden: number
}

export function titleOf({ scenario, partition }: Entry): string {
  return `${scenario}, partition ${partition}`
}

/** Reads the topics of all entries in one go: each start of a JVM takes about a second. */
export async function readWithJava(brokers: string, entries: readonly Entry[]): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-net-'))
  try {
    const topics = [...new Set(entries.map(({ topic }) => topic))]
    using dump = await dumpTopics(brokers, topics, folder, () => {})
    const values = entries.map((entry): [string, string[]] => {
      const log = dump.source.partitions(entry.topic).find(({ partition }) => partition === entry.partition)
      const read = Array.from({ length: log?.size ?? 0 }, (_, place) => String(log!.at(place).value))
      return [titleOf(entry), read]
    })
    return { values: new Map(values), hidden: dump.abortedRecords }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
