import { setTimeout as sleep } from 'node:timers/promises'
import { partitionOf } from '../../../services/runtime/kafka/partition.ts'
import type { Scene } from './scene.ts'

/** Several in each commit. */
const pauseMs = 50
const atOnce = 4

/** Adds records that nobody can read to what the feed produces, so that every commit has dead letters; until stopped. */
export function producePoison({ kafka, plan, ledger, random }: Scene): () => Promise<void> {
  const topic = `${plan.topology}.visits`
  let isStopped = false

  async function run(): Promise<void> {
    const writer = await kafka.plainWriter()
    while (!isStopped) {
      const records = Array.from({ length: atOnce }, () => {
        const key = `S${String(random.below(1_000)).padStart(3, '0')}`
        return { topic, key, kind: 'poison', id: null, time: null, value: Buffer.from('no visit') } as const
      })
      ledger.write(records)
      const batches = records.map(({ key, value }) => {
        const bytes = Buffer.from(key)
        return { topic, partition: partitionOf(bytes, plan.partitions), records: [{ key: bytes, value }] }
      })
      await writer.write(batches)
      await sleep(pauseMs)
    }
    await writer.close()
  }

  const done = run()
  return async () => {
    isStopped = true
    await done
  }
}
