import { randomUUID } from 'node:crypto'
import kafkajsModule, { type Kafka, type Producer, type RetryOptions } from 'kafkajs'

const { Kafka: KafkaJs, logLevel, Partitioners } = kafkajsModule

/** kafkajs as its documentation says, for the contrast: nothing here is used by Tidemark. */
export function naiveClient(brokers: string, clientId: string, requestTimeout: number): Kafka {
  return new KafkaJs({
    brokers: brokers.split(','),
    clientId,
    requestTimeout,
    enforceRequestTimeout: true,
    connectionTimeout: 5_000,
    logLevel: logLevel.NOTHING,
  })
}

/** A transactional producer, connected. */
export async function naiveProducer(
  kafka: Kafka,
  retry: Partial<RetryOptions>,
  maxInFlightRequests?: number,
  transactionalId = `naive-${randomUUID()}`,
): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 100, factor: 0.1, ...retry },
    ...(maxInFlightRequests === undefined ? {} : { maxInFlightRequests }),
  })
  await producer.connect()
  return producer
}

/** Everything that kafkajs's read_committed consumer hands over of a partition, up to the record with this value. */
export async function naiveRead(kafka: Kafka, topic: string, last: string): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: `naive-${randomUUID()}`, readUncommitted: false })
  const values: string[] = []
  const done = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      values.push(String(message.value))
      if (values.at(-1) === last) done.resolve()
    },
  })
  await done.promise
  await consumer.disconnect()
  return values
}

export function messages(partition: number, ...values: string[]) {
  return values.map((value) => ({ partition, value }))
}
