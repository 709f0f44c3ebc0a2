import { join } from 'node:path'
import type { Jars } from './jars.ts'
import type { Jvm } from './java.ts'
import { javaArgs } from './java.ts'
import type { Watched } from './ready.ts'
import { untilReady } from './ready.ts'
import type { Running, Supervision } from './supervision.ts'

/** Path of the Confluent API in Apicurio Registry. */
export const confluentPath = '/apis/ccompat/v7'

export function startRegistry(
  port: number,
  folder: string,
  jvm: Jvm,
  jars: Jars,
  supervision: Supervision,
): Promise<Running> {
  const args = [
    ...javaArgs(jvm, 384, folder),
    `-Dquarkus.http.port=${port}`,
    '-Dquarkus.http.host=127.0.0.1',
    '-Dquarkus.log.level=WARN',
    // A file beside Kafka's data, and not the memory: kept records need their schemas.
    `-Dapicurio.datasource.url=jdbc:h2:file:${join(folder, 'registry')}`,
    '-jar',
    jars.registryJar,
  ]
  return supervision.start('registry', {
    command: jvm.command,
    env: jvm.env,
    args,
    cwd: folder,
    logFile: registryLog(folder),
  })
}

/** Resolves when the registry has taken the setting that makes it behave as Confluent's does. */
export function registryReady(registry: string, watched: Watched): Promise<void> {
  return untilReady('Apicurio Registry', () => requireBackward(registry), watched)
}

/** Apicurio checks nothing by default; Confluent's default is BACKWARD. True when the registry has taken it. */
async function requireBackward(registry: string): Promise<boolean> {
  const answer = await fetch(`${registry}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
    signal: AbortSignal.timeout(2_000),
  })
  await answer.arrayBuffer()
  return answer.ok
}

export function registryLog(folder: string): string {
  return join(folder, 'registry.log')
}
