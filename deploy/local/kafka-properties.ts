import { randomBytes } from 'node:crypto'

/** One node of the local cluster, broker and controller in one. */
export interface KafkaNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

/** Nodes 1…count over the given ports, two for each. */
export function nodesOf(count: number, ports: readonly number[]): KafkaNode[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[2 * index]!,
    controllerPort: ports[2 * index + 1]!,
  }))
}

/** The settings of one node on loopback. */
export function kafkaProperties(
  node: KafkaNode,
  all: readonly KafkaNode[],
  dataFolder: string,
): Record<string, string> {
  const own = `PLAINTEXT://127.0.0.1:${node.port}`
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': all
      .map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
      .join(','),
    listeners: `${own},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': own,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataFolder,
    ...clusterProperties(all.length),
  }
}

/** What holds for a small cluster wherever it runs: one that starts fast and whose internal topics fit on it. */
export function clusterProperties(nodeCount: number): Record<string, string> {
  const copies = String(Math.min(3, nodeCount))
  return {
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': nodeCount >= 3 ? '2' : '1',
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': '1',
    'default.replication.factor': copies,
    'min.insync.replicas': nodeCount >= 3 ? '2' : '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    // Tests let a killed member's session end soon.
    'group.min.session.timeout.ms': '1000',
    // Nothing creates topics but `tidemark apply`.
    'auto.create.topics.enable': 'false',
  }
}

export function propertiesText(properties: Readonly<Record<string, string>>): string {
  // A backslash is an escape in this format, in a folder's name too.
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`)
  return `${lines.join('\n')}\n`
}

/** 16 random bytes as Kafka writes its ids. It refuses none but those that begin with a dash. */
export function randomUuid(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}
