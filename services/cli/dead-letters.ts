import { Command } from 'commander'
import { durationMs } from '../../topologies/duration.ts'
import { timestampOf } from '../domain/event/timestamp.ts'
import { tidemarkError } from '../runtime/errors.ts'
import { connect } from './connect.ts'
import { type Decision, decideReplay, writeReplay } from './dead-letters-replay.ts'
import {
  details,
  detailsJson,
  jsonLine,
  type Summary,
  summaryOf,
  table,
  visible,
} from './dead-letters-text.ts'
import { type LetterFilter, type LetterSource, readLetters, targetsOf } from './dead-letters-topic.ts'

interface FilterOptions {
  readonly topic?: string
  readonly reason?: string
  readonly stage?: string
  readonly since?: string
  readonly json?: boolean
}

/** `tidemark dead-letters list|show|replay`: what could not be used, why, and back with it once that is mended. */
export function deadLettersCommand(): Command {
  const deadLetters = new Command('dead-letters')
    .description('list, show and replay the records that a topology could not use')
    .exitOverride()
    .configureOutput({ outputError: () => {} })
  withFilters(deadLetters.command('list'))
    .description('list them, the newest first; never what is in them')
    .option('--limit <n>', 'at most so many (default: 50)')
    .option('--oldest', 'in the order in which they were written')
    .action(list)
  deadLetters
    .command('show')
    .description('all that is known of a letter')
    .argument('<topology>', 'the name of the topology')
    .argument('<letter>', 'its place as partition/offset, or its record as topic:partition:offset')
    .option('--value', 'also key, value and headers of the record, which may be confidential')
    .option('--json', 'one JSON object per line, bytes as base64')
    .action(show)
  withFilters(deadLetters.command('replay'))
    .description('write records back to where they came from, byte for byte')
    .argument('[letters...]', 'places as partition/offset, or records as topic:partition:offset')
    .option('--all', 'every letter')
    .option('--dry-run', 'only say what would be done')
    .action(replay)
  return deadLetters
}

function withFilters(command: Command): Command {
  return command
    .argument('<topology>', 'the name of the topology')
    .option('--topic <name>', 'of this source topic')
    .option('--reason <code>', 'with this reason, such as undecodable or contract')
    .option('--stage <name>', 'refused by this stage, such as ingest or label')
    .option('--since <time>', 'written since a time (ISO 8601), or within a duration such as 24h')
    .option('--json', 'JSON, one object per line')
}

async function list(
  topology: string,
  options: FilterOptions & { readonly limit?: string; readonly oldest?: boolean },
): Promise<void> {
  const limit = Number(options.limit ?? 50)
  if (!(Number.isSafeInteger(limit) && limit >= 1))
    throw tidemarkError('TM_USAGE', '--limit takes a number from 1')
  const filter = filterOf(options)
  await using source = await connect('tidemark-dead-letters')
  const { summaries, found } = await collect(source, topology, filter, limit, options.oldest === true)
  if (options.json) for (const summary of summaries) print(jsonLine(summary))
  else if (found === 0) print('no dead letters')
  else print(`${table(summaries)}\n${found} found, ${summaries.length} shown`)
}

async function collect(
  source: LetterSource,
  topology: string,
  filter: LetterFilter,
  limit: number,
  oldest: boolean,
): Promise<{ summaries: Summary[]; found: number }> {
  let summaries: Summary[] = []
  let found = 0
  for await (const letter of readLetters(source, topology, filter)) {
    found += 1
    if (oldest && summaries.length === limit) continue
    summaries.push(summaryOf(letter))
    // Newest first needs the last ones only, and there may be millions.
    if (summaries.length >= 2 * limit + 1_000) summaries = summaries.slice(-limit)
  }
  return { summaries: oldest ? summaries : summaries.slice(-limit).reverse(), found }
}

async function show(
  topology: string,
  name: string,
  options: { readonly value?: boolean; readonly json?: boolean },
): Promise<void> {
  const targets = targetsOf([name])
  await using source = await connect('tidemark-dead-letters')
  const withValue = options.value === true
  let shown = 0
  for await (const letter of readLetters(source, topology, { targets })) {
    if (options.json) print(jsonLine(detailsJson(letter, withValue)))
    else print(`${shown === 0 ? '' : '\n'}${details(letter, withValue)}`)
    shown += 1
    if (targets.has(letter.place)) break
  }
  if (shown === 0) throw tidemarkError('TM_LETTER', `${name}: there is no such letter of ${topology}`)
}

async function replay(
  topology: string,
  names: readonly string[],
  options: FilterOptions & { readonly all?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  const filter = { ...filterOf(options), ...(names.length === 0 ? {} : { targets: targetsOf(names) }) }
  if (Object.keys(filter).length === 0 && !options.all)
    throw tidemarkError('TM_USAGE', 'name letters, filter them, or say --all')
  await using source = await connect('tidemark-dead-letters')
  const decisions = await decideReplay(source, topology, filter)
  if (decisions.length === 0) throw tidemarkError('TM_LETTER', `there is no such letter of ${topology}`)
  const written = options.dryRun ? undefined : await writeReplay(source, topology, decisions)
  report(decisions, written, options.json === true)
  const refused = decisions.filter(({ fate }) => fate.kind === 'refuse')
  if (refused.length > 0)
    throw tidemarkError('TM_LETTER', `${refused.length} of ${decisions.length} cannot be replayed`)
}

function report(decisions: readonly Decision[], written: number | undefined, json: boolean): void {
  const isDry = written === undefined
  for (const { place, source, bytes, fate } of decisions) {
    const why = fate.kind === 'replay' ? null : fate.why
    const said = { replay: isDry ? 'would replay' : 'replayed', skip: 'skipped', refuse: 'refused' }[
      fate.kind
    ]
    if (json) print(jsonLine({ letter: place, record: source, bytes, fate: fate.kind, why, dryRun: isDry }))
    else print(visible(`${said} ${place}: ${source}, ${bytes} bytes${why === null ? '' : `: ${why}`}`))
  }
  if (json) return
  const count = (kind: string) => decisions.filter(({ fate }) => fate.kind === kind).length
  print(`${written ?? 0} replayed, ${count('skip')} skipped, ${count('refuse')} refused`)
  if (isDry) print('nothing was written: this was a dry run')
  else if (written > 0)
    print('a record that was accepted before is a duplicate; one that is still bad becomes a new letter')
}

function filterOf({ topic, reason, stage, since }: FilterOptions): LetterFilter {
  return {
    ...(topic === undefined ? {} : { topic }),
    ...(reason === undefined ? {} : { reason }),
    ...(stage === undefined ? {} : { stage }),
    ...(since === undefined ? {} : { sinceMs: sinceOf(since) }),
  }
}

function sinceOf(text: string): number {
  const time = timestampOf(text)
  if (time !== undefined) return time
  try {
    return Date.now() - durationMs(text, '--since')
  } catch {
    throw tidemarkError(
      'TM_USAGE',
      '--since takes a time such as 2026-01-31T12:00:00Z, or a duration such as 24h',
    )
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
