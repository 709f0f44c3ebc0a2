import { Command, CommanderError } from 'commander'
import { describeError, isTidemarkError, type TidemarkError, tidemarkError } from '../runtime/errors.ts'
import { KafkaFailure, KafkaRefused } from '../runtime/kafka/failures.ts'

/** In the order of the help. A command's module is loaded when it is asked for, as services have to start quickly. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./dev.ts')).devCommand(),
  broker: async () => (await import('./broker.ts')).brokerCommand(),
  plan: async () => (await import('./plan.ts')).planCommand(),
  apply: async () => (await import('./apply.ts')).applyCommand(),
  start: async () => (await import('./start.ts')).startCommand(),
  produce: async () => (await import('./produce.ts')).produceCommand(),
  tail: async () => (await import('./tail.ts')).tailCommand(),
  'dead-letters': async () => (await import('./dead-letters.ts')).deadLettersCommand(),
  backfill: async () => (await import('./backfill.ts')).backfillCommand(),
  profile: async () => (await import('./profile.ts')).profileCommand(),
}

const program = new Command('tidemark').description(
  'Streaming features, predictions, outcomes and drift reports on Apache Kafka',
)
const asked = process.argv[2] ?? ''
for (const name of Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands))
  program.addCommand(await commands[name]!())

for (const command of [program, ...program.commands])
  command.exitOverride().configureOutput({ outputError: () => {} })

// A reader that has seen enough, such as `head`, is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = fail(error)
}

/** Every failure is one line with a code and what to do; a defect keeps its stack. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    if (error.code === 'commander.help') return 2
    return say(tidemarkError('TM_USAGE', error.message.replace(/^error: /, '')))
  }
  if (isTidemarkError(error)) return say(error)
  if (isDefinitionError(error)) return say(tidemarkError('TM_TOPOLOGY', error.message))
  if (error instanceof KafkaRefused) return say(tidemarkError('TM_CONFIG', error.message))
  if (error instanceof KafkaFailure) return say(tidemarkError('TM_BROKER_AWAY', error.message))
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 1
}

function say(error: TidemarkError): number {
  process.stderr.write(`${describeError(error)}\n`)
  return error.code === 'TM_USAGE' ? 2 : 1
}

function isDefinitionError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DefinitionError'
}
