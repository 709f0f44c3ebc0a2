import { connectKafka } from '../../services/runtime/kafka/client.ts'

/** A member in a process of its own, to be killed. Prints its member id and its count of partitions at each join. */
const [brokers, groupId, topics, sessionTimeoutMs] = process.argv.slice(2)
const kafka = connectKafka({ brokers: brokers!.split(','), clientId: 'kafka-test-process' })
const member = kafka.member({
  groupId: groupId!,
  topics: topics!.split(','),
  sessionTimeoutMs: Number(sessionTimeoutMs),
  heartbeatMs: 200,
  rebalanceTimeoutMs: 6000,
  onAssigned: (partitions, memberId) => process.stdout.write(`${memberId} ${partitions.length}\n`),
  onCrash: (error) => process.stderr.write(`${error.message}\n`),
})
await member.start()
