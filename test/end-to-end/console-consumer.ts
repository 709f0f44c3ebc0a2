import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../deploy/local/cache.ts'
import { resolveJars } from '../../deploy/local/jars.ts'
import { withLock } from '../../deploy/local/lock.ts'
import { javaCommand } from '../../deploy/local/probe.ts'
import { supervise } from '../../deploy/local/supervision.ts'
import { startChild, within } from './command.ts'

const copyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.10.0:copy'
const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer'

/**
 * The keys of all committed records of a topic, read by Apache Kafka's own console consumer, one per record.
 * @param quietMs it ends when nothing has come for so long
 */
export async function consoleConsumer(brokers: string, topic: string, quietMs: number): Promise<string[]> {
  const args = [
    ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', await classPath(), main],
    ...['--bootstrap-server', brokers, '--topic', topic],
    ...['--isolation-level', 'read_committed', '--from-beginning', '--timeout-ms', String(quietMs)],
    ...['--formatter-property', 'print.key=true', '--formatter-property', 'print.value=false'],
  ]
  const child = startChild(javaCommand(process.env), args, process.env)
  const { stdout, stderr } = await within(60_000, child, 'the console consumer')
  if (!/Processed a total of \d+ messages/.test(stderr)) throw new Error(stderr.slice(-2_000))
  return stdout.split('\n').filter((line) => line !== '')
}

/** The broker's jars hold everything but the class itself, which is in the jar of the same version beside them. */
async function classPath(): Promise<string> {
  const { kafkaClassPath } = await brokerJars()
  const clients = readdirSync(kafkaClassPath.slice(0, -2)).find((name) => name.startsWith('kafka-clients-'))
  const version = /^kafka-clients-(.+)\.jar$/.exec(clients ?? '')?.[1]
  if (version === undefined) throw new Error(`no kafka-clients jar in ${kafkaClassPath}`)
  return `${kafkaClassPath}:${await toolsJar(version)}`
}

async function brokerJars() {
  await using supervision = supervise()
  return await resolveJars(process.env, supervision, () => {})
}

/** Fetched once by Maven, which checks its sum. It appears under its name whole or not at all. */
async function toolsJar(version: string): Promise<string> {
  const folder = join(cacheFolder(process.env), 'tools', version)
  const name = `kafka-tools-${version}.jar`
  const jar = join(folder, name)
  if (existsSync(jar)) return jar
  await withLock(
    `${folder}.lock`,
    () => {},
    async () => {
      if (existsSync(jar)) return
      const partial = join(folder, 'partial')
      mkdirSync(partial, { recursive: true })
      const args = ['-B', '-q', copyPlugin, `-Dartifact=org.apache.kafka:kafka-tools:${version}`]
      const maven = startChild('mvn', [...args, `-DoutputDirectory=${partial}`], process.env)
      const { code, stdout } = await within(120_000, maven, 'mvn')
      if (code !== 0) throw new Error(`mvn ended with ${code}: ${stdout.slice(-2_000)}`)
      renameSync(join(partial, name), jar)
    },
  )
  return jar
}
