import type { StartedNetwork, StartedTestContainer } from 'testcontainers'
import { GenericContainer, getContainerRuntimeClient, Network, Wait } from 'testcontainers'
import { containerEnv, containerPorts } from './container-env.ts'
import { coordinatorsReady, nodeReady } from './kafka.ts'
import { randomUuid } from './kafka-properties.ts'
import { freePorts } from './ports.ts'
import type { Watched } from './ready.ts'
import { confluentPath, registryReady } from './registry.ts'
import type { Stack, TotalOptions } from './stack.ts'
import { isDeadly } from './stack.ts'

const kafkaImage = 'apache/kafka:4.3.1'
const registryImage = 'apicurio/apicurio-registry:3.0.9'
const startMs = 120_000

/** A published port that only this machine can reach, as long as the engine runs on this machine. */
class LocalContainer extends GenericContainer {
  private readonly isLocal: boolean

  constructor(image: string, isLocal: boolean) {
    super(image)
    this.isLocal = isLocal
  }

  protected override async beforeContainerCreated(): Promise<void> {
    if (!this.isLocal) return
    const bindings: Record<string, { HostIp?: string }[]> = this.hostConfig.PortBindings ?? {}
    for (const binding of Object.values(bindings).flat()) binding.HostIp = '127.0.0.1'
  }
}

interface Parts {
  readonly network: StartedNetwork
  readonly nodes: Map<number, StartedTestContainer>
  readonly ports: ReadonlyMap<number, number>
  readonly host: string
  registry: StartedTestContainer | null
}

/**
 * Kafka and Apicurio Registry as containers. If this process is killed, testcontainers' own watcher container removes
 * them.
 */
export async function bringUpInDocker(options: TotalOptions): Promise<Stack> {
  const { onProgress } = options
  if (options.folder) onProgress('containers keep no data: the folder is not used')
  onProgress(`starting ${kafkaImage} and ${registryImage} (their first start pulls the images)`)
  const engine = (await getContainerRuntimeClient()).info.containerRuntime.host
  const isLocal = engine === 'localhost' || engine === '127.0.0.1'
  const hostPorts = await freePorts(options.nodes)
  const parts: Parts = {
    network: await new Network().start(),
    nodes: new Map(),
    ports: new Map(hostPorts.map((port, index) => [index + 1, port])),
    host: isLocal ? '127.0.0.1' : engine,
    registry: null,
  }
  try {
    await settleAll([startCluster(parts, isLocal), startRegistryContainer(parts, isLocal)])
  } catch (error) {
    await stopAll(parts)
    throw error
  }
  return stackOf(parts)
}

async function startCluster(parts: Parts, isLocal: boolean): Promise<void> {
  const clusterId = randomUuid()
  const ids = [...parts.ports.keys()]
  // A node says that it has started only when the others are there: all at once.
  await settleAll(
    ids.map(async (id) => {
      const port = parts.ports.get(id)!
      const node = await new LocalContainer(kafkaImage, isLocal)
        .withNetwork(parts.network)
        .withNetworkAliases(`kafka-${id}`)
        .withExposedPorts({ container: containerPorts.outside, host: port })
        .withEnvironment(
          containerEnv({ id, nodeCount: ids.length, clusterId, host: parts.host, hostPort: port }),
        )
        .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
        .withStartupTimeout(startMs)
        .start()
      parts.nodes.set(id, node)
    }),
  )
  await Promise.all(ids.map((id) => nodeReady(addressOf(parts, id), ids, watched(parts.nodes.get(id)!))))
  await coordinatorsReady(addressOf(parts, 1), watched(parts.nodes.get(1)!))
}

async function startRegistryContainer(parts: Parts, isLocal: boolean): Promise<void> {
  const container = await new LocalContainer(registryImage, isLocal)
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forHttp(`${confluentPath}/subjects`, 8080))
    .withStartupTimeout(startMs)
    .start()
  parts.registry = container
  await registryReady(registryUrl(parts), watched(container))
}

function stackOf(parts: Parts): Stack {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll(parts)
    return stopped
  }
  return {
    rung: 'docker',
    brokers: [...parts.ports.values()].map((port) => `${parts.host}:${port}`).join(','),
    registry: registryUrl(parts),
    nodes: [...parts.ports.keys()].map((id) => ({ id, pid: null })),
    kill: (id, signal = 'SIGKILL') => kill(parts, id, signal),
    restart: (id) => restart(parts, id),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function kill(parts: Parts, id: number, signal: NodeJS.Signals): Promise<void> {
  const container = await engineContainer(parts, id)
  await container.kill({ signal })
  if (isDeadly(signal)) await container.wait({ condition: 'not-running' })
}

async function restart(parts: Parts, id: number): Promise<void> {
  await (await engineContainer(parts, id)).start()
  await nodeReady(addressOf(parts, id), [id], watched(parts.nodes.get(id)!))
}

async function engineContainer(parts: Parts, id: number) {
  const node = parts.nodes.get(id)
  if (!node) throw new Error(`there is no node ${id}`)
  return (await getContainerRuntimeClient()).container.getById(node.getId())
}

async function stopAll(parts: Parts): Promise<void> {
  const containers = [...parts.nodes.values(), ...(parts.registry ? [parts.registry] : [])]
  await Promise.allSettled(containers.map((container) => container.stop({ timeout: 0 })))
  await parts.network.stop()
}

function watched(container: StartedTestContainer): Watched {
  return {
    hasEnded: () => false,
    async lastLines() {
      const log = await container.logs({ tail: 15 })
      setTimeout(() => log.destroy(), 1_000)
      const lines: string[] = []
      try {
        for await (const chunk of log) lines.push(String(chunk))
      } catch {
        // The stream follows the log without end: what came in a second is what there is.
      }
      return lines.join('')
    },
  }
}

/** Waits for every one before it fails with the first error, so that what has started can be stopped. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
}

function addressOf(parts: Parts, id: number): { host: string; port: number } {
  return { host: parts.host, port: parts.ports.get(id)! }
}

function registryUrl(parts: Parts): string {
  return `http://${parts.host}:${parts.registry?.getMappedPort(8080)}${confluentPath}`
}
