import { expect, it } from 'vitest'
import { containerEnv } from '../../deploy/local/container-env.ts'
import { kafkaProperties, nodesOf, propertiesText, randomUuid } from '../../deploy/local/kafka-properties.ts'

const three = nodesOf(3, [1, 2, 3, 4, 5, 6])

it('every listener is on loopback, and all nodes name the same voters', () => {
  for (const node of three) {
    const properties = kafkaProperties(node, three, '/data')
    expect(properties['controller.quorum.voters']).toBe('1@127.0.0.1:2,2@127.0.0.1:4,3@127.0.0.1:6')
    expect(properties.listeners).toBe(
      `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    )
    expect(properties['advertised.listeners']).toBe(`PLAINTEXT://127.0.0.1:${node.port}`)
  }
})

it('internal topics fit on the nodes there are, and three nodes survive the loss of one', () => {
  const [one] = nodesOf(1, [1, 2])
  const alone = kafkaProperties(one!, [one!], '/data')
  const together = kafkaProperties(three[0]!, three, '/data')
  for (const name of ['offsets.topic.replication.factor', 'transaction.state.log.replication.factor']) {
    expect(alone[name]).toBe('1')
    expect(together[name]).toBe('3')
  }
  expect(alone['transaction.state.log.min.isr']).toBe('1')
  expect(together['transaction.state.log.min.isr']).toBe('2')
  expect(together['min.insync.replicas']).toBe('2')
})

it('a settings file keeps backslashes', () => {
  expect(propertiesText({ 'log.dirs': 'C:\\data', a: 'b' })).toBe('log.dirs=C:\\\\data\na=b\n')
})

it('ids have 22 characters and never begin with a dash', () => {
  for (let i = 0; i < 1_000; i++) expect(randomUuid()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
})

it('a container is told its settings as the image reads them', () => {
  const env = containerEnv({ id: 2, nodeCount: 3, clusterId: 'x', host: '127.0.0.1', hostPort: 7 })
  expect(env).toMatchObject({
    CLUSTER_ID: 'x',
    KAFKA_NODE_ID: '2',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093',
    KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://kafka-2:9092,HOST://127.0.0.1:7',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '2',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
  })
})
