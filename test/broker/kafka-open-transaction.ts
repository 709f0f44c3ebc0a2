import { inject } from 'vitest'
import { encodeBatch } from '../../services/runtime/kafka/batch-encoding.ts'
import { makeKafkaJs } from '../../services/runtime/kafka/client.ts'
import { ask, cutCluster, openCluster } from '../../services/runtime/kafka/kafkajs-internals.ts'
import { byLeader } from '../../services/runtime/kafka/leaders.ts'
import { produceRequest } from '../../services/runtime/kafka/protocol.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'

export interface OpenTransaction {
  write(records: OutRecord[]): Promise<void>
  /** True commits, false aborts. The next write begins the next transaction. */
  end(commit: boolean): Promise<void>
  close(): Promise<void>
}

/** A transaction step by step, which the writer does not offer: begun and left, or ended when the test says so. */
export async function openTransaction(
  id: string,
  topic: string,
  first: OutRecord[],
  brokers: string = inject('brokers'),
): Promise<OpenTransaction> {
  const kafkajs = makeKafkaJs({ brokers: brokers.split(','), clientId: 'open-transaction' })
  const cluster = await openCluster(kafkajs)
  const coordinator = await cluster.findGroupCoordinator({ groupId: id, coordinatorType: 1 })
  const producer = await coordinator.initProducerId({ transactionalId: id, transactionTimeout: 60_000 })
  const session = {
    transactionalId: id,
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
  }
  const identity = {
    ...session,
    producerId: Number(session.producerId),
    transactional: true,
    compression: 'none',
  } as const
  let sequence = 0
  let added = false

  async function write(records: OutRecord[]): Promise<void> {
    for (let tries = 0; !added; tries += 1) {
      try {
        await coordinator.addPartitionsToTxn({ ...session, topics: [{ topic, partitions: [0] }] })
        added = true
      } catch (error) {
        if (tries > 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const batch = encodeBatch(records, identity, sequence, Date.now())
    sequence += records.length
    const [nodeId] = [...(await byLeader(cluster, [{ topic, partition: 0 }])).keys()]
    const leader = await cluster.findBroker({ nodeId: nodeId! })
    const [answer] = await ask(leader, produceRequest(id, [{ topic, partition: 0, batch }], 30_000))
    if (answer!.errorCode !== 0) throw new Error(`produce failed: ${answer!.errorCode}`)
  }

  await write(first)
  return {
    write,
    async end(commit) {
      await coordinator.endTxn({ ...session, transactionResult: commit })
      added = false
    },
    close: () => cutCluster(cluster),
  }
}
