import { join } from 'node:path'

/** How to start a JVM here. */
export interface Jvm {
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  /** Flags that name an archive of loaded classes, to use or to write. */
  readonly archiveFlags: readonly string[]
}

/**
 * Flags of every JVM here. One compiler tier, because a broker for a test lives for seconds; the shared class archive
 * where there is one; no performance-counter file and no temporary files outside the stack's own folder, so that
 * nothing is left behind by a kill.
 */
export function javaArgs({ archiveFlags }: Jvm, heapMb: number, folder: string): string[] {
  return [
    `-Xmx${heapMb}m`,
    '-XX:TieredStopAtLevel=1',
    '-Xshare:auto',
    ...archiveFlags,
    '-XX:-UsePerfData',
    `-Djava.io.tmpdir=${join(folder, 'tmp')}`,
  ]
}

/** The little of the environment that the JVMs get: settings meant for other programs do not reach them. */
export function javaEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of ['PATH', 'HOME', 'LANG', 'TZ', 'JAVA_HOME', 'LD_LIBRARY_PATH']) {
    const value = env[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}
