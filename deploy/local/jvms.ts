import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Address } from './handshake.ts'
import type { Jars } from './jars.ts'
import type { Jvm } from './java.ts'
import { coordinatorsReady, logOf, nodeReady, prepareNode, startNode } from './kafka.ts'
import type { KafkaNode } from './kafka-properties.ts'
import { nodesOf, randomUuid } from './kafka-properties.ts'
import { lastLines } from './log-file.ts'
import { freePorts } from './ports.ts'
import type { Watched } from './ready.ts'
import { confluentPath, registryLog, registryReady, startRegistry } from './registry.ts'
import type { TotalOptions } from './stack.ts'
import type { Running, Supervision } from './supervision.ts'

/** The JVMs of one stack and what they run on. */
export interface Jvms {
  readonly supervision: Supervision
  readonly folder: string
  readonly isKept: boolean
  readonly kafka: Jvm
  readonly registry: Jvm
  readonly jars: Jars
  readonly nodes: readonly KafkaNode[]
  readonly registryPort: number
  readonly running: Map<number, Running>
  runningRegistry: Running | null
}

/** Ports, a data folder and formatted nodes: everything but the processes. */
export async function prepareJvms(
  how: Pick<Jvms, 'supervision' | 'kafka' | 'registry' | 'jars'>,
  { nodes: nodeCount, folder: keptFolder, settingsOf }: Pick<TotalOptions, 'nodes' | 'folder' | 'settingsOf'>,
): Promise<Jvms> {
  const folder = keptFolder ? resolve(keptFolder) : mkdtempSync(join(tmpdir(), 'tidemark-'))
  if (!keptFolder) how.supervision.ownFolder(folder)
  mkdirSync(join(folder, 'tmp'), { recursive: true })
  const [registryPort = 0, ...ports] = await freePorts(1 + 2 * nodeCount)
  const nodes = nodesOf(nodeCount, ports)
  const clusterId = knownClusterId(folder) ?? randomUuid()
  for (const node of nodes) {
    const settings = settingsOf?.(node) ?? {}
    prepareNode(node, { all: nodes, settings, folder, clusterId, jars: how.jars })
  }
  const isKept = keptFolder !== undefined
  return { ...how, folder, isKept, nodes, registryPort, running: new Map(), runningRegistry: null }
}

/** Starts all at once; resolves when all are ready to use. */
export async function startJvms(jvms: Jvms): Promise<void> {
  const { nodes, folder, jars, supervision, registryPort, running } = jvms
  const ids = nodes.map(({ id }) => id)
  const kafka = async () => {
    for (const node of nodes) running.set(node.id, await startOne(jvms, node))
    await Promise.all(nodes.map((node) => nodeReady(addressOf(node), ids, watchedNode(jvms, node))))
    await coordinatorsReady(addressOf(nodes[0]!), watchedNode(jvms, nodes[0]!))
  }
  const registry = async () => {
    const started = await startRegistry(registryPort, folder, jvms.registry, jars, supervision)
    jvms.runningRegistry = started
    const lines = () => lastLines(registryLog(folder))
    await registryReady(registryUrl(registryPort), { hasEnded: started.hasEnded, lastLines: lines })
  }
  await Promise.all([kafka(), registry()])
}

export async function restartNode(jvms: Jvms, id: number): Promise<void> {
  const node = jvms.nodes.find((each) => each.id === id)
  if (!node) throw new Error(`there is no node ${id}`)
  if (!jvms.running.get(id)?.hasEnded()) throw new Error(`node ${id} is running`)
  jvms.running.set(id, await startOne(jvms, node))
  await nodeReady(addressOf(node), [id], watchedNode(jvms, node))
}

/** Asks every JVM to end in order; resolves when all have, or when the time is up. */
export async function endInOrder(jvms: Jvms, patienceMs: number): Promise<void> {
  const all = [...jvms.running.values(), ...(jvms.runningRegistry ? [jvms.runningRegistry] : [])]
  for (const running of all) running.signal('SIGTERM')
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((done) => {
    timer = setTimeout(done, patienceMs)
  })
  await Promise.race([Promise.all(all.map(({ ended }) => ended)), patience])
  clearTimeout(timer)
}

export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}${confluentPath}`
}

function startOne({ nodes, folder, kafka, jars, supervision }: Jvms, node: KafkaNode): Promise<Running> {
  return startNode(node, nodes.length === 1 ? 512 : 384, folder, kafka, jars, supervision)
}

function addressOf(node: KafkaNode): Address {
  return { host: '127.0.0.1', port: node.port }
}

function watchedNode(jvms: Jvms, node: KafkaNode): Watched {
  return {
    hasEnded: () => jvms.running.get(node.id)?.hasEnded() ?? true,
    lastLines: () => lastLines(logOf(node, jvms.folder)),
  }
}

/** A kept folder already belongs to a cluster; a node that joins it later must carry the same id. */
function knownClusterId(folder: string): string | null {
  try {
    const meta = readFileSync(join(folder, 'kafka-1', 'meta.properties'), 'utf8')
    return /^cluster\.id=(.+)$/m.exec(meta)?.[1] ?? null
  } catch {
    return null
  }
}
