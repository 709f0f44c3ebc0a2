import { type Letter, lacks, ownHeaders, replayedFrom, sourceOf } from './dead-letters-topic.ts'

/** What a list says of a letter: nothing of it comes out of the record's key, value or headers. */
export interface Summary {
  readonly letter: string
  /** When it was written, ISO 8601. */
  readonly written: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly stage: string
  readonly reason: string
  readonly detail: string
  /** Null when there is none. */
  readonly keyBytes: number | null
  /** What the letter holds of the value; null when there is none. */
  readonly valueBytes: number | null
  readonly truncated: boolean
  /** `topic:partition:offset` of the record that this one repeats. */
  readonly replayedFrom: string | null
}

export function summaryOf(letter: Letter): Summary {
  const { topic, partition, offset, stage, reason, detail, key, value, truncated } = letter.record
  return {
    letter: letter.place,
    written: isoTime(letter.at),
    ...{ topic, partition, offset, stage, reason, detail },
    keyBytes: key?.length ?? null,
    valueBytes: value?.length ?? null,
    truncated,
    replayedFrom: replayedFrom(letter),
  }
}

/** A table for a person, one line per letter. */
export function table(summaries: readonly Summary[]): string {
  const rows = summaries.map((each) => [
    each.letter,
    each.written,
    `${each.topic}:${each.partition}:${each.offset}`,
    each.stage,
    each.reason,
    sizeText(each.keyBytes, false),
    sizeText(each.valueBytes, each.truncated),
    each.replayedFrom === null ? each.detail : `${each.detail} (replayed from ${each.replayedFrom})`,
  ])
  const lines = [['LETTER', 'WRITTEN', 'RECORD', 'STAGE', 'REASON', 'KEY', 'VALUE', 'DETAIL'], ...rows].map(
    (row) => row.map(visible),
  )
  const widths = lines[0]!.map((_, at) => Math.max(...lines.map((line) => line[at]!.length)))
  const padded = lines.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  )
  return padded.join('\n')
}

/** All that is known of a letter; its key, its value and the values of its headers only when they are asked for. */
export function details(letter: Letter, withValue: boolean): string {
  const { record } = letter
  const whole = lacks(letter)
  const lines = [
    ['letter', `${letter.place}, written ${isoTime(letter.at)}`],
    ['record', `${sourceOf(record)}, Kafka timestamp ${isoTime(record.timestamp)}`],
    ['stage', record.stage],
    ['reason', record.reason],
    ['detail', record.detail],
    ['key', sizeText(record.key?.length ?? null, false)],
    ['value', sizeText(record.value?.length ?? null, record.truncated)],
    ...(record.valueSha256 === null ? [] : [['sha256', `${record.valueSha256} of the whole value`]]),
    ['replay', whole === undefined ? 'can be replayed' : `cannot be replayed: ${whole}`],
    ...Object.entries(letter.headers).map(([name, value]) => [
      'header',
      headerText(letter, name, value, withValue),
    ]),
  ]
  const text = lines.map(([name, value]) => `${name!.padEnd(8)}${visible(value!)}`)
  if (!withValue) return text.join('\n')
  return [...text, ...dump('key', record.key), ...dump('value', record.value)].join('\n')
}

/** A letter as JSON, bytes as base64. */
export function detailsJson(letter: Letter, withValue: boolean): Record<string, unknown> {
  const { record } = letter
  const own = ownHeaders(letter)
  const names = Object.keys(letter.headers)
  const about = names.filter((name) => !Object.hasOwn(own, name))
  const content = {
    key: base64(record.key),
    value: base64(record.value),
    recordHeaders: Object.fromEntries(Object.entries(own).map(([name, value]) => [name, base64(value)])),
  }
  return {
    ...summaryOf(letter),
    timestamp: record.timestamp,
    valueSha256: record.valueSha256,
    cannotBeReplayed: lacks(letter) ?? null,
    headers: Object.fromEntries(about.map((name) => [name, letter.headers[name]!.toString()])),
    recordHeaderNames: Object.keys(own),
    ...(withValue ? content : {}),
  }
}

/**
 * Text that a terminal may be given: whatever could move the cursor, change colours or turn the direction of reading
 * is written as its number.
 */
export function visible(text: string): string {
  return text.replace(invisible, (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`)
}

/** One line of JSON, in which nothing is invisible either. */
export function jsonLine(value: unknown): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(invisible, (sign) => sign.split('').map(escaped).join(''))
}

/** Controls, formats, surrogates, private and unassigned characters, and what separates lines. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu

function headerText(letter: Letter, name: string, value: Buffer, withValue: boolean): string {
  const isOurs = !Object.hasOwn(ownHeaders(letter), name)
  return isOurs || withValue ? `${name} = ${value.toString()}` : `${name}, ${value.length} bytes`
}

/** Sixteen bytes a line: where they begin, in hex, and as ASCII where that can be shown. */
function dump(title: string, bytes: Uint8Array | null): string[] {
  if (bytes === null) return ['', `${title}: none`]
  const lines = ['', `${title}: ${bytes.length} bytes`]
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  |${ascii}|`)
  }
  return lines
}

function sizeText(bytes: number | null, truncated: boolean): string {
  if (bytes === null) return 'none'
  return truncated ? `first ${bytes} bytes` : `${bytes} bytes`
}

/** Kafka's "no timestamp" is −1, and a record may claim any other. */
function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 && ms !== -1 ? new Date(ms).toISOString() : 'none'
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64')
}
