import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, realpathSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Jars } from './jars.ts'
import { jarsFolder } from './jars.ts'
import type { Jvm } from './java.ts'
import { javaEnv } from './java.ts'
import { endInOrder, prepareJvms, startJvms } from './jvms.ts'
import type { Facts } from './ladder.ts'
import { withLock } from './lock.ts'
import { partialOf } from './partial.ts'
import { javaCommand } from './probe.ts'
import { supervise } from './supervision.ts'

type Env = Facts['env']

interface Programs {
  readonly kafka: Jvm
  readonly registry: Jvm
}

/**
 * JVMs that take their classes from an archive, which halves the time until Kafka and the registry are ready (measured
 * on two cores: 2.7 to 1.4 s and 3.9 to 2.2 s). The archive is what a first run had loaded at its end; that run is made
 * once per Java and pom. A JVM that does not like its archive says nothing and starts without it.
 */
export async function classArchives(
  env: Env,
  jars: Jars,
  onProgress: (line: string) => void,
): Promise<Programs> {
  const folder = `${jarsFolder(env)}-classes-${javaIdentity(env)}`
  if (!existsSync(folder)) {
    const onWait = () => onProgress('another process is preparing the class archives, waiting for it')
    await withLock(`${folder}.lock`, onWait, async () => {
      if (!existsSync(folder)) await record(folder, env, jars, onProgress)
    })
  }
  const archiveFlags = (name: string) => {
    const file = join(folder, `${name}.jsa`)
    return existsSync(file) ? [`-XX:SharedArchiveFile=${file}`] : []
  }
  return jvmsOf(env, archiveFlags)
}

/** A run that fails leaves an empty folder: it would fail the next time as well, and nothing depends on it. */
async function record(
  folder: string,
  env: Env,
  jars: Jars,
  onProgress: (line: string) => void,
): Promise<void> {
  const partial = partialOf(folder)
  mkdirSync(partial)
  onProgress('preparing class archives, so that later starts are twice as fast (once, about 10 s)')
  const archiveFlags = (name: string) => [`-XX:ArchiveClassesAtExit=${join(partial, `${name}.jsa`)}`]
  await using supervision = supervise()
  try {
    const jvms = await prepareJvms({ supervision, jars, ...jvmsOf(env, archiveFlags) }, { nodes: 1 })
    await startJvms(jvms)
    // The archive is written at the end of the run.
    await endInOrder(jvms, 60_000)
  } catch (error) {
    onProgress(`the class archives were not made: ${error instanceof Error ? error.message : error}`)
  }
  await supervision.close()
  renameSync(partial, folder)
}

function jvmsOf(env: Env, archiveFlags: (name: string) => string[]): Programs {
  const jvm = { command: javaCommand(env), env: javaEnv(env) }
  return {
    kafka: { ...jvm, archiveFlags: archiveFlags('kafka') },
    registry: { ...jvm, archiveFlags: archiveFlags('registry') },
  }
}

/** Names the Java that will run, without running it: an archive serves the very build that wrote it. */
function javaIdentity(env: Env): string {
  const command = javaCommand(env)
  const places = command.includes('/')
    ? [command]
    : (env.PATH ?? '').split(':').map((each) => join(each, command))
  const place = places.find((each) => existsSync(each)) ?? command
  const facts = existsSync(place)
    ? [realpathSync(place), statSync(place).size, statSync(place).mtimeMs]
    : [place]
  return createHash('sha256').update(facts.join('\n')).digest('hex').slice(0, 8)
}
