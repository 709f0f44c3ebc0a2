import { Command, InvalidArgumentError } from 'commander'
import type { Background } from '../../deploy/local/background.ts'
import { readBackground, startBackground, stopBackground, whoAnswers } from '../../deploy/local/background.ts'
import { isDecidedByEnv } from '../../deploy/local/ladder.ts'
import { bringUp } from '../../deploy/local/up.ts'
import { registryAddress } from '../runtime/codec/registry-http.ts'

type Env = Readonly<Record<string, string | undefined>>

interface UpOptions {
  readonly nodes?: 1 | 3
  readonly json?: boolean
}

/** `tidemark broker up|status|down`: a local Kafka and schema registry that stay until they are told to go. */
export function brokerCommand(env: Env = process.env): Command {
  const broker = new Command('broker')
    .description('a local Kafka and schema registry in the background')
    // Subcommands inherit this when they are created: the program reports the error, in its own form.
    .exitOverride()
    .configureOutput({ outputError: () => {} })
  broker
    .command('up')
    .description('start them, or find the ones that run, and print the two variables to export')
    .option('--nodes <1|3>', 'Kafka nodes (default: 1)', parseNodes)
    .option('--json', 'print one JSON object')
    .action((options: UpOptions) => up(env, options))
  broker
    .command('status')
    .description('say whether they run and answer; exit code 1 if they do not')
    .option('--json', 'print one JSON object')
    .action((options: { json?: boolean }) => status(env, options.json ?? false))
  broker
    .command('down')
    .description('stop them and remove their data')
    .option('--json', 'print one JSON object')
    .action((options: { json?: boolean }) => down(env, options.json ?? false))
  return broker
}

async function up(env: Env, { nodes, json = false }: UpOptions): Promise<void> {
  if (isDecidedByEnv(env)) return upGiven(env, json)
  const { background, isNew } = await startBackground(env, nodes ?? 1, say)
  if (!isNew) say(`already running${otherCount(background, nodes)}`)
  print(json ? JSON.stringify({ running: true, ...publicPart(background) }) : exports(background))
}

/** Brokers that the environment names are nobody's to start: the command only says what they are. */
async function upGiven(env: Env, json: boolean): Promise<void> {
  const { rung, brokers, registry: given } = await bringUp({ env })
  // The address may hold credentials, and what is printed ends up in logs.
  const { url: registry, auth } = registryAddress(given)
  say('KAFKA_BROKERS is set: nothing to start')
  if (auth !== undefined) say('the credentials in SCHEMA_REGISTRY_URL are not repeated here')
  print(
    json
      ? JSON.stringify({ running: true, rung, brokers, registry, nodes: [] })
      : exports({ brokers, registry }),
  )
}

async function status(env: Env, json: boolean): Promise<void> {
  const found = readBackground(env)
  const answers = found ? await whoAnswers(found) : { brokers: 0, registry: false }
  const isWell = found !== null && answers.brokers >= found.nodes.length && answers.registry
  if (!isWell) process.exitCode = 1
  if (json) {
    print(JSON.stringify(found ? { running: true, ...publicPart(found), answers } : { running: false }))
  } else if (!found) {
    print('not running')
  } else {
    const registry = answers.registry ? 'the registry answers' : 'the registry does not answer'
    print(`running: ${found.rung}, process ${found.pid}`)
    print(`brokers that answer: ${answers.brokers} of ${found.nodes.length}; ${registry}`)
    print(exports(found))
  }
}

async function down(env: Env, json: boolean): Promise<void> {
  const stopped = await stopBackground(env)
  if (json) print(JSON.stringify({ stopped: stopped !== null }))
  else print(stopped ? 'stopped' : 'not running')
}

function publicPart({ rung, pid, brokers, registry, nodes }: Background): Omit<Background, 'start'> {
  return { rung, pid, brokers, registry, nodes }
}

function exports({ brokers, registry }: Pick<Background, 'brokers' | 'registry'>): string {
  return `export KAFKA_BROKERS=${brokers}\nexport SCHEMA_REGISTRY_URL=${registry}`
}

function otherCount({ nodes }: Background, wanted: number | undefined): string {
  if (wanted === undefined || wanted === nodes.length) return ''
  return `, with ${nodesText(nodes.length)}: for ${wanted} run \`tidemark broker down\` first`
}

function nodesText(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`
}

function parseNodes(text: string): 1 | 3 {
  if (text === '1') return 1
  if (text === '3') return 3
  throw new InvalidArgumentError('choose 1 or 3')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function say(line: string): void {
  process.stderr.write(`broker: ${line}\n`)
}
