import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isTidemarkError } from '../../services/runtime/errors.ts'
import type { Address } from './handshake.ts'
import type { Jars } from './jars.ts'
import { resolveJars } from './jars.ts'
import { javaEnv } from './java.ts'
import { coordinatorsReady, logOf, nodeReady, prepareNode, startNode } from './kafka.ts'
import type { KafkaNode } from './kafka-properties.ts'
import { nodesOf, randomUuid } from './kafka-properties.ts'
import { lastLines } from './log-file.ts'
import { freePorts } from './ports.ts'
import { javaCommand } from './probe.ts'
import type { Watched } from './ready.ts'
import { confluentPath, registryLog, registryReady, startRegistry } from './registry.ts'
import type { Stack, TotalOptions } from './stack.ts'
import { isDeadly } from './stack.ts'
import type { Running, Supervision } from './supervision.ts'
import { supervise } from './supervision.ts'
import type { Program } from './supervisor.ts'

/** Everything that a running stack of JVMs consists of. */
interface Parts {
  readonly supervision: Supervision
  readonly folder: string
  readonly isKept: boolean
  readonly program: Pick<Program, 'command' | 'env'>
  readonly jars: Jars
  readonly nodes: readonly KafkaNode[]
  readonly registryPort: number
  readonly running: Map<number, Running>
  registry: Running | null
}

/** Kafka and Apicurio Registry as JVMs on this machine, on free loopback ports, ready to use. */
export async function bringUpOnJava(options: TotalOptions): Promise<Stack> {
  const attempts = 3
  for (let attempt = 1; ; attempt++) {
    const supervision = supervise()
    try {
      const parts = await assemble(supervision, options)
      await startAll(parts)
      return stackOf(parts)
    } catch (error) {
      await supervision.close()
      // Someone else may take a port between the look and the bind.
      if (attempt === attempts || !isTidemarkError(error) || !error.message.includes('already in use'))
        throw error
    }
  }
}

async function assemble(supervision: Supervision, options: TotalOptions): Promise<Parts> {
  const { env } = options
  const jars = await resolveJars(env, supervision, options.onProgress)
  const folder = options.folder ? resolve(options.folder) : mkdtempSync(join(tmpdir(), 'tidemark-'))
  if (!options.folder) supervision.ownFolder(folder)
  mkdirSync(join(folder, 'tmp'), { recursive: true })
  const [registryPort = 0, ...ports] = await freePorts(1 + 2 * options.nodes)
  const nodes = nodesOf(options.nodes, ports)
  const clusterId = knownClusterId(folder) ?? randomUuid()
  for (const node of nodes) prepareNode(node, nodes, folder, clusterId, jars)
  return {
    supervision,
    folder,
    isKept: options.folder !== undefined,
    program: { command: javaCommand(env), env: javaEnv(env) },
    jars,
    nodes,
    registryPort,
    running: new Map(),
    registry: null,
  }
}

async function startAll(parts: Parts): Promise<void> {
  const { nodes, folder, program, jars, supervision, registryPort, running } = parts
  const ids = nodes.map(({ id }) => id)
  const kafka = async () => {
    for (const node of nodes) running.set(node.id, await startOne(parts, node))
    await Promise.all(nodes.map((node) => nodeReady(addressOf(node), ids, watchedNode(parts, node))))
    await coordinatorsReady(addressOf(nodes[0]!), watchedNode(parts, nodes[0]!))
  }
  const registry = async () => {
    const running = await startRegistry(registryPort, folder, program, jars, supervision)
    parts.registry = running
    const lines = () => lastLines(registryLog(folder))
    await registryReady(registryUrl(registryPort), { hasEnded: running.hasEnded, lastLines: lines })
  }
  await Promise.all([kafka(), registry()])
}

function startOne({ nodes, folder, program, jars, supervision }: Parts, node: KafkaNode): Promise<Running> {
  return startNode(node, nodes.length === 1 ? 512 : 384, folder, program, jars, supervision)
}

function stackOf(parts: Parts): Stack {
  const stop = once(() => stopAll(parts))
  return {
    rung: 'java',
    brokers: parts.nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
    registry: registryUrl(parts.registryPort),
    get nodes() {
      return parts.nodes.map(({ id }) => ({ id, pid: pidOf(parts.running.get(id)) }))
    },
    async kill(id, signal = 'SIGKILL') {
      const running = runningNode(parts, id)
      running.signal(signal)
      if (isDeadly(signal)) await running.ended
    },
    restart: (id) => restart(parts, id),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function restart(parts: Parts, id: number): Promise<void> {
  const node = parts.nodes.find((each) => each.id === id)
  if (!node) throw new Error(`there is no node ${id}`)
  if (!parts.running.get(id)?.hasEnded()) throw new Error(`node ${id} is running`)
  const running = await startOne(parts, node)
  parts.running.set(id, running)
  await nodeReady(addressOf(node), [id], watchedNode(parts, node))
}

function addressOf(node: KafkaNode): Address {
  return { host: '127.0.0.1', port: node.port }
}

function watchedNode(parts: Parts, node: KafkaNode): Watched {
  return {
    hasEnded: () => parts.running.get(node.id)?.hasEnded() ?? true,
    lastLines: () => lastLines(logOf(node, parts.folder)),
  }
}

/** Data that is kept is closed in order; data that goes away with the stack needs no ceremony. */
async function stopAll(parts: Parts): Promise<void> {
  if (parts.isKept) {
    const all = [...parts.running.values(), ...(parts.registry ? [parts.registry] : [])]
    for (const running of all) running.signal('SIGTERM')
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((done) => {
      timer = setTimeout(done, 15_000)
    })
    await Promise.race([Promise.all(all.map(({ ended }) => ended)), patience])
    clearTimeout(timer)
  }
  await parts.supervision.close()
}

function runningNode(parts: Parts, id: number): Running {
  const running = parts.running.get(id)
  if (!running || running.hasEnded()) throw new Error(`node ${id} is not running`)
  return running
}

function pidOf(running: Running | undefined): number | null {
  return running && !running.hasEnded() ? running.pid : null
}

function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}${confluentPath}`
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

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
