import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, isRefusal } from './failures.ts'
import { readLogFile } from './log-file.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { verifyTable } from './table-file.ts'

/** How many tables are on their way at once: the next arrives while this one is verified. */
const readers = 3

/** A store in use may replace its files while they are read; then they are read again, at most this often. */
const attempts = 10

/**
 * Verifies the files of a LevelDB without opening it, because opening it loses silently what does not verify.
 * Gives what is wrong, or undefined; a folder in which there is no LevelDB is sound. What verifies is a prefix of
 * everything that was ever written: batches may be missing at the end, never in the middle.
 * Throws what the file system says when the machine refuses to read.
 */
export async function verifyFiles(folder: string): Promise<string | undefined> {
  let damage: string | undefined
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = await readState(folder)
    if (before === undefined) return undefined
    damage = await verifyState(folder, before)
    if (damage === undefined) return undefined
    const after = await readState(folder)
    if (after?.text.equals(before.text)) return damage
  }
  return damage
}

/** Which manifest is the current one, and its bytes; what is wrong with them instead. */
interface State {
  readonly name: string
  readonly text: Buffer
  readonly damage: string | undefined
}

async function readState(folder: string): Promise<State | undefined> {
  const names = await namesIn(folder)
  if (!names.some((name) => /^(CURRENT|MANIFEST-\d+|\d+\.(log|ldb|sst))$/.test(name))) return undefined
  const current = await readAll(folder, 'CURRENT')
  if (typeof current === 'string') return { name: 'CURRENT', text: Buffer.from(current), damage: current }
  const name = /^(MANIFEST-\d{6,})\n$/.exec(current.toString('latin1'))?.[1]
  if (name === undefined) return { name: 'CURRENT', text: current, damage: 'CURRENT: it names no manifest' }
  const text = await readAll(folder, name)
  return typeof text === 'string'
    ? { name, text: Buffer.from(text), damage: text }
    : { name, text, damage: undefined }
}

async function verifyState(folder: string, { name, text, damage }: State): Promise<string | undefined> {
  if (damage !== undefined) return damage
  const manifest = readManifest(text)
  if (typeof manifest === 'string') return `${name}: ${manifest}`
  return (await verifyLogs(folder, manifest)) ?? (await verifyTables(folder, manifest))
}

/** The logs behind the tables: each record verifies, and LevelDB's sequence goes on from one to the next. */
async function verifyLogs(
  folder: string,
  { logNumber, lastSequence, flushedTo }: Manifest,
): Promise<string | undefined> {
  const numbers = (await namesIn(folder))
    .flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
    .sort((left, right) => Number(left) - Number(right))
    .filter((number) => Number(number) >= logNumber)
  if (Number(numbers[0]) !== logNumber) return `${fileNumber(logNumber)}.log: it is missing`
  let next: number | undefined
  let isEmpty = false
  for (const number of numbers) {
    const bytes = await readAll(folder, `${number}.log`)
    if (typeof bytes === 'string') return bytes
    const { records, damage } = readLogFile(bytes)
    if (damage !== undefined) return `${number}.log: ${damage}`
    // Only a process that died while opening leaves an empty log, and it writes nothing behind it.
    if (isEmpty && records.length > 0) return `${number}.log: the log before it is empty`
    isEmpty = records.length === 0
    for (const record of records) {
      const sequence = record.length < 12 ? -1 : Number(record.readBigUInt64LE(0))
      const isFirst = sequence > flushedTo && sequence <= lastSequence + 1
      const isNext = next === undefined ? isFirst : sequence === next
      if (!isNext) return `${number}.log: sequence ${sequence} does not follow`
      next = sequence + record.readUInt32LE(8)
    }
  }
  return undefined
}

async function verifyTables(folder: string, { tables }: Manifest): Promise<string | undefined> {
  const left = tables.entries()
  const found = await Promise.all(Array.from({ length: readers }, readSome))
  return found.find((damage) => damage !== undefined)

  async function readSome(): Promise<string | undefined> {
    let buffer = Buffer.alloc(0)
    for (const [number, table] of left) {
      if (buffer.length < table.sizeBytes) buffer = Buffer.allocUnsafeSlow(table.sizeBytes)
      const name = `${fileNumber(number)}.ldb`
      const bytes = await readAll(folder, name, buffer)
      if (typeof bytes === 'string') return bytes
      const damage = verifyTable(bytes, table)
      if (damage !== undefined) return `${name}: ${damage}`
    }
    return undefined
  }
}

function fileNumber(number: number): string {
  return String(number).padStart(6, '0')
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** The bytes of a file, or why it cannot be read. `into` is used when it is large enough. */
async function readAll(folder: string, name: string, into?: Buffer): Promise<Buffer | string> {
  try {
    await using file = await open(join(folder, name))
    const { size } = await file.stat()
    const buffer = into !== undefined && into.length >= size ? into : Buffer.allocUnsafeSlow(size)
    let length = 0
    while (length < size) {
      const { bytesRead } = await file.read(buffer, length, size - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } catch (error) {
    if (isRefusal(error)) throw error
    return codeOf(error) === 'ENOENT' ? `${name}: it is missing` : `${name}: ${codeOf(error)}`
  }
}
