#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { describeError, isTidemarkError, type TidemarkError, tidemarkError } from '../runtime/errors.ts'
import { KafkaFailure, KafkaRefused } from '../runtime/kafka/failures.ts'
import { applyCommand } from './apply.ts'
import { backfillCommand } from './backfill.ts'
import { brokerCommand } from './broker.ts'
import { deadLettersCommand } from './dead-letters.ts'
import { devCommand } from './dev.ts'
import { planCommand } from './plan.ts'
import { produceCommand } from './produce.ts'
import { profileCommand } from './profile.ts'
import { startCommand } from './start.ts'
import { tailCommand } from './tail.ts'

const program = new Command('tidemark')
  .description('Streaming features, predictions, outcomes and drift reports on Apache Kafka')
  .addCommand(devCommand())
  .addCommand(brokerCommand())
  .addCommand(planCommand())
  .addCommand(applyCommand())
  .addCommand(startCommand())
  .addCommand(produceCommand())
  .addCommand(tailCommand())
  .addCommand(deadLettersCommand())
  .addCommand(backfillCommand())
  .addCommand(profileCommand())

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
