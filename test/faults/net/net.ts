import { type Address, askBrokerIds } from '../../../deploy/local/handshake.ts'
import { bringUpOnJava } from '../../../deploy/local/java-stack.ts'
import type { KafkaNode } from '../../../deploy/local/kafka-properties.ts'
import { freePorts } from '../../../deploy/local/ports.ts'
import { untilReady } from '../../../deploy/local/ready.ts'
import type { Stack } from '../../../deploy/local/stack.ts'
import { createKafkaProxy, type KafkaProxy } from './kafka-proxy.ts'
import { askLeader } from './leader.ts'
import { openRegistryProxy, type RegistryProxy, type Rubbish } from './registry-proxy.ts'
import { createRuleBook, type Handle, type Rule, type RuleBook } from './rules.ts'

export interface NetOptions {
  readonly nodes: 1 | 3
  /** Keeps the data and the logs of Kafka; without it they go away with the net. */
  readonly folder?: string
  readonly log?: (line: string) => void
}

/** Real Kafka and a registry, reached only through proxies that can be told to misbehave. */
export interface Net extends AsyncDisposable {
  /** The proxies, as KAFKA_BROKERS takes them; no client that begins here ever meets a broker directly. */
  readonly brokers: string
  /** The brokers themselves: for setting up and for auditing, whatever the rules say. */
  readonly directBrokers: string
  /** The registry through its proxy. */
  readonly registry: string
  readonly directRegistry: string
  readonly nodes: readonly number[]
  /** SIGKILL of the node; resolves when it has ended. New connections to its proxy are refused from then on. */
  killNode(id: number): Promise<void>
  /** Resolves when the node answers through its proxy. */
  restartNode(id: number): Promise<void>
  /** SIGSTOP and SIGCONT of the node. */
  freezeNode(id: number): Promise<void>
  thawNode(id: number): Promise<void>
  leaderOf(topic: string, partition: number): Promise<number>
  rule(rule: Rule): Handle
  registryDown(how?: 'refuse' | 'hang'): Promise<void>
  /** Ends everything that was done to the registry. */
  registryUp(): Promise<void>
  /** True for all kinds in turn. */
  registryRubbish(on: boolean | Rubbish): void
  registrySlow(ms: number): void
  /** Frames and registry requests that were not passed on as they came. */
  counts(): { proxied: number; registry: number }
  close(): Promise<void>
}

/**
 * Brings all of it up. The JVMs end with this process, in whatever way it ends; `close` ends them in good time.
 * Brokers talk to each other directly: only clients are behind the proxies.
 */
export async function openNet({ nodes, folder, log = () => {} }: NetOptions): Promise<Net> {
  const ports = await freePorts(2 * nodes + 1)
  const book = createRuleBook()
  const stack = await bringUpOnJava({
    nodes,
    env: process.env,
    onProgress: log,
    settingsOf: (node) => proxiedSettings(node, portsOf(ports, node.id)),
    ...(folder === undefined ? {} : { folder }),
  })
  const proxies = new Map<number, KafkaProxy>()
  let registryProxy: RegistryProxy | undefined
  try {
    for (const { id } of stack.nodes) {
      const { brokerPort, port } = portsOf(ports, id)
      const proxy = createKafkaProxy({ node: id, brokerPort, port, book })
      proxies.set(id, proxy)
      await proxy.listen()
    }
    registryProxy = await openRegistryProxy(stack.registry, ports.at(-1)!)
  } catch (error) {
    for (const proxy of proxies.values()) await proxy.close()
    await stack.stop()
    throw error
  }
  return netOf(stack, { ports, book, proxies, registryProxy })
}

interface Parts {
  readonly ports: readonly number[]
  readonly book: RuleBook
  readonly proxies: ReadonlyMap<number, KafkaProxy>
  readonly registryProxy: RegistryProxy
}

function netOf(stack: Stack, { ports, book, proxies, registryProxy }: Parts): Net {
  const ids = stack.nodes.map(({ id }) => id)
  const proxyOf = (id: number): Address => ({ host: '127.0.0.1', port: portsOf(ports, id).port })
  const close = async () => {
    await registryProxy.close()
    for (const proxy of proxies.values()) await proxy.close()
    await stack.stop()
  }
  return {
    brokers: ids.map((id) => `127.0.0.1:${proxyOf(id).port}`).join(','),
    directBrokers: stack.brokers,
    registry: registryProxy.url,
    directRegistry: stack.registry,
    nodes: ids,
    async killNode(id) {
      await proxies.get(id)?.refuse()
      await stack.kill(id, 'SIGKILL')
    },
    async restartNode(id) {
      await stack.restart(id)
      await proxies.get(id)?.listen()
      const answers = async () => (await askBrokerIds(proxyOf(id))).includes(id)
      await untilReady(`node ${id} behind its proxy`, answers, { hasEnded: () => false, lastLines: () => '' })
    },
    freezeNode: (id) => stack.kill(id, 'SIGSTOP'),
    thawNode: (id) => stack.kill(id, 'SIGCONT'),
    leaderOf: (topic, partition) => askLeader(addressesOf(stack.brokers), topic, partition),
    rule: (rule) => book.add(rule),
    registryDown: (how = 'refuse') => registryProxy.down(how),
    registryUp: () => registryProxy.up(),
    registryRubbish: (on) => registryProxy.rubbish(on === true ? 'all' : on === false ? 'none' : on),
    registrySlow: (ms) => registryProxy.slow(ms),
    counts: () => ({ proxied: book.touched, registry: registryProxy.touched }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * A second listener for clients, whose advertised port is the proxy's: whoever comes in by a proxy is told of proxies
 * only. The listener that the nodes use among themselves stays as it is.
 */
function proxiedSettings(
  node: KafkaNode,
  { brokerPort, port }: { brokerPort: number; port: number },
): Record<string, string> {
  const own = `PLAINTEXT://127.0.0.1:${node.port}`
  return {
    listeners: `${own},PROXIED://127.0.0.1:${brokerPort},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `${own},PROXIED://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
    // A killed node may come back as soon as its old session has ended, which takes 9 s by default.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '500',
  }
}

/** The ports before and behind the proxy of a node. */
function portsOf(ports: readonly number[], id: number): { port: number; brokerPort: number } {
  return { port: ports[2 * id - 2]!, brokerPort: ports[2 * id - 1]! }
}

function addressesOf(brokers: string): Address[] {
  return brokers.split(',').map((each) => ({ host: '127.0.0.1', port: Number(each.split(':')[1]) }))
}
