import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from './handshake.ts'
import { askBrokerIds, hasCoordinator } from './handshake.ts'
import type { Jars } from './jars.ts'
import type { Jvm } from './java.ts'
import { javaArgs } from './java.ts'
import type { KafkaNode } from './kafka-properties.ts'
import { kafkaProperties, propertiesText, randomUuid } from './kafka-properties.ts'
import type { Watched } from './ready.ts'
import { untilReady } from './ready.ts'
import type { Running, Supervision } from './supervision.ts'

/** What a node is prepared with besides its id and ports. */
export interface Preparation {
  readonly all: readonly KafkaNode[]
  /** Beside or instead of ours. */
  readonly settings: Readonly<Record<string, string>>
  readonly folder: string
  readonly clusterId: string
  readonly jars: Jars
}

/** Formats the data folder of a node unless it is formatted, as `StorageTool format` does, and writes its settings. */
export function prepareNode(node: KafkaNode, preparation: Preparation): void {
  const { all, settings, folder, clusterId, jars } = preparation
  const data = join(folder, `kafka-${node.id}`)
  const meta = join(data, 'meta.properties')
  mkdirSync(data, { recursive: true })
  const properties = { ...kafkaProperties(node, all, data), ...settings }
  writeFileSync(settingsFile(node, folder), propertiesText(properties))
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
  jvm: Jvm,
  jars: Jars,
  supervision: Supervision,
): Promise<Running> {
  const name = `kafka-${node.id}`
  const args = [
    ...javaArgs(jvm, heapMb, folder),
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-cp',
    jars.kafkaClassPath,
    'kafka.Kafka',
    settingsFile(node, folder),
  ]
  return supervision.start(name, {
    command: jvm.command,
    env: jvm.env,
    args,
    cwd: folder,
    logFile: logOf(node, folder),
  })
}

/** Resolves when the node at this address answers and counts all the wanted nodes among the living. */
export function nodeReady(address: Address, wantedIds: readonly number[], watched: Watched): Promise<void> {
  const question = async () => {
    const alive = await askBrokerIds(address)
    return wantedIds.every((id) => alive.includes(id))
  }
  return untilReady(`the Kafka node at ${address.host}:${address.port}`, question, watched)
}

/** Resolves when groups and transactions have a coordinator, that is when their internal topics exist. */
export async function coordinatorsReady(address: Address, watched: Watched): Promise<void> {
  await Promise.all([
    untilReady('the group coordinator', () => hasCoordinator(address, 'group'), watched),
    untilReady('the transaction coordinator', () => hasCoordinator(address, 'transaction'), watched),
  ])
}

export function logOf(node: KafkaNode, folder: string): string {
  return join(folder, `kafka-${node.id}.log`)
}

function settingsFile(node: KafkaNode, folder: string): string {
  return join(folder, `kafka-${node.id}.properties`)
}
