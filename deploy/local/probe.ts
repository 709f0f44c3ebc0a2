import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Facts } from './ladder.ts'
import { isDecidedByEnv } from './ladder.ts'

type Env = Facts['env']

/**
 * Looks at this machine, from the cheapest question to the dearest, and stops asking as soon as the ladder is
 * decided: without a Docker engine the answer about it takes under a millisecond, Java's about 0.1 s, Maven's 0.5 s.
 */
export async function probe(env: Env, jarsCached: boolean): Promise<Facts> {
  const facts = { env, dockerAnswers: false, javaVersion: null, mavenAnswers: false, jarsCached }
  if (isDecidedByEnv(env)) return facts
  if (await dockerAnswers(env)) return { ...facts, dockerAnswers: true }
  const [version, maven] = await Promise.all([javaVersion(env), jarsCached ? false : mavenAnswers()])
  return { ...facts, javaVersion: version, mavenAnswers: maven }
}

/**
 * Whether testcontainers finds an engine. It is asked only where there is a sign of one, because loading it takes
 * longer than everything else here together.
 */
export async function dockerAnswers(env: Env, timeoutMs = 5_000): Promise<boolean> {
  if (!env.DOCKER_HOST && !signsOfDocker(env).some((path) => existsSync(path))) return false
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const answer = import('testcontainers')
    .then(({ getContainerRuntimeClient }) => getContainerRuntimeClient())
    .then(() => true)
    .catch(() => false)
  return Promise.race([answer, tooLong]).finally(() => clearTimeout(timer))
}

/** Major version of the Java that `javaCommand` starts, or null. */
export async function javaVersion(env: Env): Promise<number | null> {
  const said = await output(javaCommand(env), ['-version'])
  return said === null ? null : parseJavaVersion(said)
}

/** Reads `openjdk version "17.0.15" …` as 17, and the old `java version "1.8.0_292"` as 8. */
export function parseJavaVersion(said: string): number | null {
  const found = /version "(?:1\.)?(\d+)/.exec(said)
  return found?.[1] === undefined ? null : Number(found[1])
}

export function javaCommand(env: Env): string {
  return env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java'
}

async function mavenAnswers(): Promise<boolean> {
  return (await output('mvn', ['-v'])) !== null
}

function signsOfDocker(env: Env): string[] {
  const home = homedir()
  return [
    '/var/run/docker.sock',
    join(home, '.docker', 'run', 'docker.sock'),
    join(home, '.docker', 'desktop', 'docker.sock'),
    join(home, '.testcontainers.properties'),
    `/run/user/${process.getuid?.() ?? 0}/docker.sock`,
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, 'docker.sock')] : []),
  ]
}

/** What a command prints on both its streams (`java -version` uses the second), or null when it fails. */
function output(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve(error ? null : `${stdout}\n${stderr}`)
    })
  })
}
