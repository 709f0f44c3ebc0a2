import { clusterProperties } from './kafka-properties.ts'

/** Ports inside a container: for the other nodes, for the controllers, and for clients on the host. */
export const containerPorts = { inside: 9092, controller: 9093, outside: 9094 } as const

/**
 * The environment of one node of the apache/kafka image, which turns `KAFKA_A_B` into the property `a.b`. Clients
 * outside the container network are told the host's name and the published port, nodes each other's network name.
 */
export function containerEnv(node: {
  id: number
  nodeCount: number
  clusterId: string
  host: string
  hostPort: number
}): Record<string, string> {
  const { inside, controller, outside } = containerPorts
  const ids = Array.from({ length: node.nodeCount }, (_, index) => index + 1)
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': ids.map((id) => `${id}@kafka-${id}:${controller}`).join(','),
    listeners: `PLAINTEXT://:${inside},CONTROLLER://:${controller},HOST://:${outside}`,
    'advertised.listeners': `PLAINTEXT://kafka-${node.id}:${inside},HOST://${node.host}:${node.hostPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT',
    'log.dirs': '/var/lib/kafka/data',
    ...clusterProperties(node.nodeCount),
  }
  const env: Record<string, string> = { CLUSTER_ID: node.clusterId, KAFKA_HEAP_OPTS: '-Xmx512m' }
  for (const [name, value] of Object.entries(properties)) {
    env[`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`] = value
  }
  return env
}
