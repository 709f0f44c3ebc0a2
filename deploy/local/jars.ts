import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tidemarkError } from '../../services/runtime/errors.ts'
import { cacheFolder } from './cache.ts'
import { kafkaProperties, nodesOf, propertiesText, randomUuid } from './kafka-properties.ts'
import type { Facts } from './ladder.ts'
import { withLock } from './lock.ts'
import { countMatches, lastLines } from './log-file.ts'
import { partialOf } from './partial.ts'
import { javaCommand } from './probe.ts'
import type { Supervision } from './supervision.ts'
import type { Program } from './supervisor.ts'

export interface Jars {
  /** The Java class path of Apache Kafka. */
  readonly kafkaClassPath: string
  readonly registryJar: string
  /** What `StorageTool format` writes beside meta.properties: the same for every node of this Kafka version. */
  readonly bootstrapCheckpoint: string
}

type Env = Facts['env']
const here = dirname(fileURLToPath(import.meta.url))
const pom = join(here, 'pom.xml')

/** The folder that holds what this very pom asks for. It exists only when it is complete. */
export function jarsFolder(env: Env): string {
  const hash = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12)
  return join(cacheFolder(env), 'jars', hash)
}

export function areJarsCached(env: Env): boolean {
  return existsSync(jarsFolder(env))
}

/**
 * The jars of Kafka and of the registry, resolved by Maven the first time. Another process that wants them meanwhile
 * waits. They are filled into a folder beside the final one, which gets its name by a rename when it is complete:
 * whoever is interrupted leaves nothing that looks finished.
 */
export async function resolveJars(
  env: Env,
  supervision: Supervision,
  onProgress: (line: string) => void,
): Promise<Jars> {
  const folder = jarsFolder(env)
  if (!existsSync(folder)) {
    const onWait = () =>
      onProgress('another process is fetching Apache Kafka and Apicurio Registry, waiting for it')
    await withLock(`${folder}.lock`, onWait, async () => {
      if (!existsSync(folder)) await fill(folder, env, supervision, onProgress)
    })
  }
  return {
    kafkaClassPath: join(folder, 'kafka', '*'),
    registryJar: runnerJar(join(folder, 'registry')),
    bootstrapCheckpoint: join(folder, 'format', 'bootstrap.checkpoint'),
  }
}

async function fill(
  folder: string,
  env: Env,
  supervision: Supervision,
  onProgress: (line: string) => void,
): Promise<void> {
  const partial = partialOf(folder)
  mkdirSync(join(partial, 'format'), { recursive: true })
  onProgress(`fetching Apache Kafka and Apicurio Registry with Maven into ${folder} (once)`)
  const logFile = `${folder}.log`
  rmSync(logFile, { force: true })
  const watch = setInterval(() => {
    const count = countMatches(logFile, /^\[INFO\] Downloaded /gm)
    if (count > 0) onProgress(`fetching: ${count} files so far`)
  }, 3_000)
  const maven = ['-B', '-f', pom, 'generate-resources', `-Djars.folder=${partial}`]
  try {
    await toTheEnd(supervision, 'maven', {
      command: 'mvn',
      args: maven,
      cwd: dirname(folder),
      env: defined(env),
      logFile,
    })
  } finally {
    clearInterval(watch)
  }
  await keepBootstrapCheckpoint(partial, env, supervision, logFile)
  renameSync(partial, folder)
  onProgress('fetched')
}

/**
 * Formats one throw-away folder, so that a node needs no JVM of its own for that later: the file holds the feature
 * levels of this Kafka version and nothing of the node.
 */
async function keepBootstrapCheckpoint(
  partial: string,
  env: Env,
  supervision: Supervision,
  logFile: string,
): Promise<void> {
  const format = join(partial, 'format')
  const properties = join(format, 'server.properties')
  const [node] = nodesOf(1, [1, 2])
  writeFileSync(properties, propertiesText(kafkaProperties(node!, [node!], format)))
  const classPath = join(partial, 'kafka', '*')
  const args = ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', randomUuid(), '-c', properties]
  await toTheEnd(supervision, 'format', {
    command: javaCommand(env),
    args,
    cwd: format,
    env: defined(env),
    logFile,
  })
}

async function toTheEnd(supervision: Supervision, name: string, program: Program): Promise<void> {
  const how = await (await supervision.start(name, program)).ended
  if (how === 'exit code 0') return
  const detail = `${program.command} ended with ${how}; the last lines of ${program.logFile}:`
  throw tidemarkError('TM_NO_BROKER', `${detail}\n${lastLines(program.logFile)}`)
}

function defined(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function runnerJar(folder: string): string {
  const jar = readdirSync(folder).find((name) => name.endsWith('-runner.jar'))
  if (jar === undefined) throw tidemarkError('TM_NO_BROKER', `no runner jar in ${folder}; delete that folder`)
  return join(folder, jar)
}
