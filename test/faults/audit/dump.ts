import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJars } from '../../../deploy/local/jars.ts'
import { javaCommand } from '../../../deploy/local/probe.ts'
import { supervise } from '../../../deploy/local/supervision.ts'
import { createColumn } from './column.ts'
import type { PartitionLog, RecordSource, StoredRecord } from './source.ts'

export interface Dump extends Disposable {
  readonly source: RecordSource
  readonly records: number
  /** What a reader of uncommitted data sees beyond the committed records. */
  readonly abortedRecords: number
}

const program = fileURLToPath(new URL('./Dump.java', import.meta.url))

/** Has Apache Kafka's own consumer read the topics to their ends, and opens what it wrote. */
export async function dumpTopics(
  brokers: string,
  topics: readonly string[],
  folder: string,
  log: (line: string) => void,
): Promise<Dump> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'topics.dump')
  const classPath = await kafkaClasses(log)
  const said = await runJava(['-Xmx512m', '-cp', classPath, program, brokers, file, ...topics])
  const counts = said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').slice(1).map(Number))
  const sum = (column: number) => counts.reduce((total, row) => total + row[column]!, 0)
  const opened = openDump(file, topics)
  if (opened.records !== sum(1)) throw new Error(`the dump holds ${opened.records} records, not ${sum(1)}`)
  return {
    ...opened,
    abortedRecords: sum(2) - sum(1),
    [Symbol.dispose]() {
      opened[Symbol.dispose]()
      rmSync(file, { force: true })
    },
  }
}

/** Reads a dump's layout once; records are then read from the file as they are asked for. */
export function openDump(file: string, topics: readonly string[]): Omit<Dump, 'abortedRecords'> {
  const fd = openSync(file, 'r')
  const reader = createReader(fd)
  const columns = new Map<string, Columns>()
  let records = 0
  const { size } = fstatSync(fd)
  for (let at = 0; at < size; records += 1) at = noteRecord(reader, at, topics, columns)
  const logs = Map.groupBy(columns.values(), ({ topic }) => topic)
  const opened = new Map(
    [...logs].map(([topic, partitions]) => [
      topic,
      partitions
        .toSorted((left, right) => left.partition - right.partition)
        .map((partition) => logOf(partition, reader)),
    ]),
  )
  return {
    source: { partitions: (topic) => opened.get(topic) ?? [] },
    records,
    [Symbol.dispose]: () => closeSync(fd),
  }
}

interface Columns {
  readonly topic: string
  readonly partition: number
  readonly offsets: ReturnType<typeof createColumn>
  readonly positions: ReturnType<typeof createColumn>
}

type Reader = (position: number, length: number) => Buffer

const headBytes = 28

function noteRecord(
  reader: Reader,
  at: number,
  topics: readonly string[],
  columns: Map<string, Columns>,
): number {
  const head = reader(at, headBytes)
  const topic = topics[head.readInt32BE(0)]!
  const partition = head.readInt32BE(4)
  const offset = Number(head.readBigInt64BE(8))
  const keyEnd = at + headBytes + Math.max(0, head.readInt32BE(24))
  const place = `${topic}/${partition}`
  let column = columns.get(place)
  if (column === undefined) {
    column = { topic, partition, offsets: createColumn(), positions: createColumn() }
    columns.set(place, column)
  }
  column.offsets.push(offset)
  column.positions.push(at)
  return keyEnd + 4 + Math.max(0, reader(keyEnd, 4).readInt32BE(0))
}

function logOf({ topic, partition, offsets, positions }: Columns, reader: Reader): PartitionLog {
  const starts = positions.taken()
  const places = offsets.taken()
  return {
    topic,
    partition,
    size: places.length,
    offsets: places,
    at: (place) => recordAt(reader, starts[place]!),
  }
}

function recordAt(reader: Reader, at: number): StoredRecord {
  const head = reader(at, headBytes)
  const offset = Number(head.readBigInt64BE(8))
  const timestamp = Number(head.readBigInt64BE(16))
  const keyLength = head.readInt32BE(24)
  const keyAt = at + headBytes
  const key = keyLength < 0 ? null : reader(keyAt, keyLength)
  const lengthAt = keyAt + Math.max(0, keyLength)
  const valueLength = reader(lengthAt, 4).readInt32BE(0)
  const value = valueLength < 0 ? null : reader(lengthAt + 4, valueLength)
  return { offset, timestamp, key, value }
}

const blockBytes = 1 << 18
const blocksKept = 256

/**
 * Random access through a bounded cache of blocks: readers of a run go forward in many partitions at once. The oldest
 * block is dropped, never overwritten, so what was handed out stays as it was.
 */
function createReader(fd: number): Reader {
  const blocks = new Map<number, Buffer>()
  let last = -1
  let lastBlock: Buffer = Buffer.alloc(0)

  function blockAt(number: number): Buffer {
    if (number === last) return lastBlock
    let block = blocks.get(number)
    if (block === undefined) {
      block = Buffer.allocUnsafeSlow(blockBytes)
      const length = readSync(fd, block, 0, blockBytes, number * blockBytes)
      block = block.subarray(0, length)
      if (blocks.size >= blocksKept) blocks.delete(blocks.keys().next().value!)
      blocks.set(number, block)
    }
    last = number
    lastBlock = block
    return block
  }

  return (position, length) => {
    const number = Math.floor(position / blockBytes)
    const from = position - number * blockBytes
    if (from + length <= blockBytes) return blockAt(number).subarray(from, from + length)
    const whole = Buffer.alloc(length)
    readSync(fd, whole, 0, length, position)
    return whole
  }
}

/** The class path of the local broker's Kafka, whose clients are Apache Kafka's own. */
async function kafkaClasses(log: (line: string) => void): Promise<string> {
  await using supervision = supervise()
  return (await resolveJars(process.env, supervision, log)).kafkaClassPath
}

function runJava(args: readonly string[]): Promise<string> {
  const child = spawn(javaCommand(process.env), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new Error(`the audit reads topics with Java (JDK 17 or later): ${error.message}`)),
    )
    child.on('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`Kafka's consumer ended with ${code}: ${stderr.slice(-2_000)}`))
    })
  })
}
