import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { askBrokerIds, hasCoordinator } from './handshake.ts'
import type { Jars } from './jars.ts'
import { javaArgs } from './java.ts'
import type { KafkaNode } from './kafka-properties.ts'
import { kafkaProperties, propertiesText, randomUuid } from './kafka-properties.ts'
import { untilReady } from './ready.ts'
import type { Running, Supervision } from './supervision.ts'
import type { Program } from './supervisor.ts'

/** Formats the data folder of a node unless it is formatted, as `StorageTool format` does, and writes its settings. */
export function prepareNode(
  node: KafkaNode,
  all: readonly KafkaNode[],
  folder: string,
  clusterId: string,
  jars: Jars,
): void {
  const data = join(folder, `kafka-${node.id}`)
  const meta = join(data, 'meta.properties')
  mkdirSync(data, { recursive: true })
  writeFileSync(settingsFile(node, folder), propertiesText(kafkaProperties(node, all, data)))
  if (existsSync(meta)) return
  copyFileSync(jars.bootstrapCheckpoint, join(data, 'bootstrap.checkpoint'))
  writeFileSync(
    meta,
    propertiesText({
      version: '1',
      'cluster.id': clusterId,
      'node.id': String(node.id),
      'directory.id': randomUuid(),
    }),
  )
}

export function startNode(
  node: KafkaNode,
  heapMb: number,
  folder: string,
  program: Pick<Program, 'command' | 'env'>,
  jars: Jars,
  supervision: Supervision,
): Promise<Running> {
  const name = `kafka-${node.id}`
  const args = [
    ...javaArgs(heapMb, folder),
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-cp',
    jars.kafkaClassPath,
    'kafka.Kafka',
    settingsFile(node, folder),
  ]
  return supervision.start(name, { ...program, args, cwd: folder, logFile: logOf(node, folder) })
}

/** Resolves when this node answers and counts all the wanted nodes among the living. */
export function nodeReady(
  node: KafkaNode,
  wantedIds: readonly number[],
  running: Running,
  folder: string,
): Promise<void> {
  const question = async () => {
    const alive = await askBrokerIds({ host: '127.0.0.1', port: node.port })
    return wantedIds.every((id) => alive.includes(id))
  }
  return untilReady(`Kafka node ${node.id}`, question, running, logOf(node, folder))
}

/** Resolves when groups and transactions have a coordinator, that is when their internal topics exist. */
export async function coordinatorsReady(node: KafkaNode, running: Running, folder: string): Promise<void> {
  const address = { host: '127.0.0.1', port: node.port }
  const log = logOf(node, folder)
  await Promise.all([
    untilReady('the group coordinator', () => hasCoordinator(address, 'group'), running, log),
    untilReady('the transaction coordinator', () => hasCoordinator(address, 'transaction'), running, log),
  ])
}

export function logOf(node: KafkaNode, folder: string): string {
  return join(folder, `kafka-${node.id}.log`)
}

function settingsFile(node: KafkaNode, folder: string): string {
  return join(folder, `kafka-${node.id}.properties`)
}
