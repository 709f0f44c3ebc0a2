import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
import type { Field, Stream } from '../domain/event/contract.ts'
import { timestampOf } from '../domain/event/timestamp.ts'
import { tidemarkError } from '../runtime/errors.ts'

/** A record of a history file: what it decodes to, and where it stood. */
export interface HistoryRecord {
  readonly topic: string
  readonly line: number
  readonly value: unknown
  /** Event time in ms; NaN when the record has none, and then it sorts last. */
  readonly time: number
  readonly id: string
}

/** Reads `<topic>.jsonl` or `<topic>.csv` of every stream from a folder, merged by (event time, topic, id). */
export async function readHistory(folder: string, streams: readonly Stream[]): Promise<HistoryRecord[]> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw tidemarkError('TM_USAGE', `there is no folder ${folder}`)
  const files = readdirSync(folder)
  const records: HistoryRecord[] = []
  for (const stream of streams) {
    const file = files.find((each) => each === `${stream.topic}.jsonl` || each === `${stream.topic}.csv`)
    if (file === undefined)
      throw tidemarkError('TM_USAGE', `${folder} holds no ${stream.topic}.jsonl and no ${stream.topic}.csv`)
    let line = 0
    for await (const value of readRecords(join(folder, file), stream)) {
      line += 1
      records.push({
        topic: stream.topic,
        line,
        value,
        time: timeOf(value, stream),
        id: textOf(value, stream.id),
      })
    }
  }
  return records.sort(inOrder)
}

/** Objects out of a JSONL or CSV file. CSV texts become what the contract says their field is. */
export async function* readRecords(file: string, stream: Stream | undefined): AsyncGenerator<unknown> {
  if (!existsSync(file) || !statSync(file).isFile())
    throw tidemarkError('TM_USAGE', `there is no file ${file}`)
  if (extname(file) === '.csv') {
    yield* readCsv(file, stream)
    return
  }
  let number = 0
  for await (const line of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1
    if (line.trim() !== '')
      yield parseLine(number === 1 ? line.replace(byteOrderMark, '') : line, file, number)
  }
}

const byteOrderMark = /^\ufeff/

async function* readCsv(file: string, stream: Stream | undefined): AsyncGenerator<unknown> {
  const rows = createReadStream(file).pipe(parse({ columns: true, skip_empty_lines: true, bom: true }))
  try {
    for await (const row of rows) yield typed(row as Record<string, string>, stream)
  } catch (error) {
    throw tidemarkError('TM_USAGE', `${file}: ${error instanceof Error ? error.message : error}`, error)
  }
}

function parseLine(line: string, file: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw tidemarkError('TM_USAGE', `${file} line ${number} is not JSON`, error)
  }
}

function typed(row: Record<string, string>, stream: Stream | undefined): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, text]) => [name, typedValue(text, fieldNamed(stream, name))]),
  )
}

function typedValue(text: string, field: Field | undefined): unknown {
  if (field === undefined || field.type === 'string') return text
  if (text === '') return null
  if (field.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  // Anything but a plain decimal number stays text, and the contract says what it thinks of it.
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
    ? Number(text)
    : text
}

function fieldNamed(stream: Stream | undefined, name: string): Field | undefined {
  return stream !== undefined && Object.hasOwn(stream.fields, name) ? stream.fields[name] : undefined
}

function timeOf(value: unknown, stream: Stream): number {
  const time = fieldOf(value, stream.time)
  return typeof time === 'number'
    ? time
    : typeof time === 'string'
      ? (timestampOf(time) ?? Number.NaN)
      : Number.NaN
}

function textOf(value: unknown, field: string): string {
  return String(fieldOf(value, field) ?? '')
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined
  return (value as Record<string, unknown>)[field]
}

function inOrder(left: HistoryRecord, right: HistoryRecord): number {
  const [leftTime, rightTime] = [sortTime(left), sortTime(right)]
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : left.line - right.line
}

function sortTime({ time }: HistoryRecord): number {
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
}
