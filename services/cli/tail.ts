import { Command } from 'commander'
import type { Registry } from '../runtime/codec/registry.ts'
import { decodeSourceSync, sourceSchemas } from '../runtime/codec/source.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { FetchedRecord } from '../runtime/kafka/fetch.ts'
import { readTopic } from '../runtime/read-topic.ts'
import { connect } from './connect.ts'

interface TailOptions {
  readonly limit?: string
  readonly json?: boolean
  readonly follow?: boolean
  readonly fromEnd?: boolean
  readonly marks?: boolean
}

export function tailCommand(): Command {
  return new Command('tail')
    .description(
      'decode the records of a topic, for a person or, with --json, one object per line for a program',
    )
    .argument('<topic>')
    .option('--limit <n>', 'stop after so many records')
    .option('--json', 'one JSON object per line')
    .option('--follow', 'wait for more')
    .option('--from-end', 'begin with what comes from now on')
    .option('--marks', 'show watermark marks of internal topics too')
    .action(tail)
}

async function tail(topic: string, options: TailOptions): Promise<void> {
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit)
  if (!(limit >= 1)) throw tidemarkError('TM_USAGE', '--limit takes a number from 1')
  await using connection = await connect('tidemark-tail')
  const { kafka, registry } = connection
  const admin = await kafka.admin()
  const known = (await admin.describeTopics([topic])).has(topic)
  await admin.close()
  if (!known) throw tidemarkError('TM_TOPICS', `${topic} does not exist`)
  const follow = options.follow === true
  let shown = 0
  for await (const record of readTopic(kafka, topic, { follow, fromEnd: options.fromEnd === true })) {
    const value = await decode(record, registry)
    if (!options.marks && isMark(value)) continue
    process.stdout.write(options.json ? `${jsonLine(record, value)}\n` : `${personLine(record, value)}\n`)
    shown += 1
    if (shown >= limit) break
  }
}

async function decode({ value }: FetchedRecord, registry: Registry): Promise<unknown> {
  if (value === null) return null
  const decoded = decodeSourceSync(value, await sourceSchemas([value], registry))
  return decoded.ok ? decoded.value : { undecodable: decoded.detail, bytes: value.length }
}

function isMark(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  return value.kind === 'mark' || value.kind === 'idle'
}

function jsonLine({ topic, partition, offset, timestamp, key }: FetchedRecord, value: unknown): string {
  return JSON.stringify({ topic, partition, offset, timestamp, key: key?.toString() ?? null, value }, plain)
}

function personLine({ partition, offset, timestamp, key }: FetchedRecord, value: unknown): string {
  const at = new Date(timestamp).toISOString()
  return `${partition}/${offset}  ${at}  ${key?.toString() ?? '-'}\n${JSON.stringify(value, plain, 2)}`
}

/** Bytes become base64: JSON has no better way. By now a Buffer has turned itself into its JSON form. */
function plain(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('data' in value)) return value
  const { type, data } = value
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data).toString('base64') : value
}
