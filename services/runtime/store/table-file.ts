import { type Cursor, createCursor } from './cursor.ts'
import { maskedCrc32c } from './log-file.ts'
import type { Table } from './manifest.ts'

const footerBytes = 48
const trailerBytes = 5
const magic = Buffer.from('57fb808b247547db', 'hex')

interface Block {
  readonly at: number
  /** Without its trailer. */
  readonly sizeBytes: number
}

/** What is wrong with the bytes of a table, or undefined. Every byte of the file belongs to something that is checked. */
export function verifyTable(bytes: Buffer, table: Table): string | undefined {
  if (bytes.length !== table.sizeBytes) return `it has ${bytes.length} bytes instead of ${table.sizeBytes}`
  if (bytes.length < footerBytes || !bytes.subarray(-magic.length).equals(magic)) return 'no table footer'
  try {
    return verifyBlocks(bytes, table)
  } catch {
    return 'a block that cannot be read'
  }
}

/** The file is data blocks, then a filter, then the list of filters, then the index of the data blocks, then a footer. */
function verifyBlocks(bytes: Buffer, table: Table): string | undefined {
  const footer = createCursor(bytes, bytes.length - footerBytes)
  const filters = blockOf(footer)
  const index = blockOf(footer)
  if (endOf(index) !== bytes.length - footerBytes || endOf(filters) !== index.at) return 'blocks out of place'
  if (!isSound(bytes, index)) return `a wrong checksum at byte ${index.at}`
  // Tidemark opens its stores without compression, so that the index can be read here.
  if (bytes[index.at + index.sizeBytes] !== 0) return 'a compressed index'
  const data = blocksOf(bytes.subarray(index.at, index.at + index.sizeBytes))
  let at = 0
  for (const block of [...data, ...filterBlock(data, filters), filters]) {
    if (block.at !== at) return 'blocks out of place'
    if (!isSound(bytes, block)) return `a wrong checksum at byte ${block.at}`
    at = endOf(block)
  }
  if (at !== index.at) return 'blocks out of place'
  return isOf(bytes, data, table) ? undefined : 'the keys of another table'
}

function blockOf(cursor: Cursor): Block {
  return { at: cursor.number(), sizeBytes: cursor.number() }
}

function endOf(block: Block): number {
  return block.at + block.sizeBytes + trailerBytes
}

/** The checksum covers the stored bytes and the byte behind them, which names their compression. */
function isSound(bytes: Buffer, { at, sizeBytes }: Block): boolean {
  const end = at + sizeBytes + 1
  return end + 4 <= bytes.length && maskedCrc32c(bytes, at, end) === bytes.readUInt32LE(end)
}

function blocksOf(index: Buffer): Block[] {
  return entriesOf(index, 0).map(({ value }) => blockOf(createCursor(value)))
}

/** What lies between the data and the list of filters is the one filter. */
function filterBlock(data: readonly Block[], filters: Block): Block[] {
  const last = data.at(-1)
  const at = last === undefined ? 0 : endOf(last)
  return filters.at > at ? [{ at, sizeBytes: filters.at - at - trailerBytes }] : []
}

/** Whether the first and the last key are those of the manifest; they hold LevelDB's sequence, so no other file has them. */
function isOf(bytes: Buffer, data: readonly Block[], { smallest, largest }: Table): boolean {
  const [first, last] = [data.at(0), data.at(-1)]
  if (first === undefined || last === undefined) return false
  const head = bytes.subarray(first.at, first.at + first.sizeBytes)
  const tail = bytes.subarray(last.at, last.at + last.sizeBytes)
  const firstKey = entriesOf(head, 0, 1).at(0)?.key
  const lastKey = entriesOf(tail, tail.readUInt32LE(tail.length - 8)).at(-1)?.key
  return firstKey?.equals(smallest) === true && lastKey?.equals(largest) === true
}

/** The entries of a block from a restart point on; a key is written as what differs from the one before. */
function entriesOf(
  block: Buffer,
  from: number,
  limit = Number.POSITIVE_INFINITY,
): { key: Buffer; value: Buffer }[] {
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  const cursor = createCursor(block, from)
  const entries: { key: Buffer; value: Buffer }[] = []
  let key: Buffer = Buffer.alloc(0)
  while (cursor.at < end && entries.length < limit) {
    const shared = cursor.number()
    const ownBytes = cursor.number()
    const valueBytes = cursor.number()
    key = Buffer.concat([key.subarray(0, shared), cursor.take(ownBytes)])
    entries.push({ key, value: cursor.take(valueBytes) })
  }
  return entries
}
