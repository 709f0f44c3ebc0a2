import { inject } from 'vitest'
import { encodeBatch } from '../../services/runtime/kafka/batch-encoding.ts'
import { makeKafkaJs } from '../../services/runtime/kafka/client.ts'
import { crc32c } from '../../services/runtime/kafka/crc32c.ts'
import { ask, cutCluster, openCluster } from '../../services/runtime/kafka/kafkajs-internals.ts'
import { byLeader } from '../../services/runtime/kafka/leaders.ts'
import { errorName, produceRequest } from '../../services/runtime/kafka/protocol.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'

const identity = { producerId: -1, producerEpoch: -1, transactional: false, compression: 'none' } as const

/** A record batch as it would go to the broker, damaged; its checksum fits the damage if `fits`. */
export function damagedBatch(record: OutRecord, damage: (bytes: Buffer) => void, fits: boolean): Buffer {
  const bytes = encodeBatch([record], identity, -1, Date.now())
  damage(bytes)
  if (fits) bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17)
  return bytes
}

/** Sends bytes as a record batch, whatever they are. @returns Kafka's name of the error, or nothing */
export async function produceRaw(topic: string, partition: number, batch: Buffer): Promise<string> {
  const brokers = inject('brokers').split(',')
  const cluster = await openCluster(makeKafkaJs({ brokers, clientId: 'poison-batch' }))
  try {
    const [nodeId] = [...(await byLeader(cluster, [{ topic, partition }])).keys()]
    const leader = await cluster.findBroker({ nodeId: nodeId! })
    const [answer] = await ask(leader, produceRequest(null, [{ topic, partition, batch }], 30_000))
    return errorName(answer!.errorCode)
  } finally {
    await cutCluster(cluster)
  }
}
