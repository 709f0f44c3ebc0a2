import { createCursor } from './cursor.ts'
import { readLogFile } from './log-file.ts'

/** What LevelDB says that it consists of. */
export interface Manifest {
  readonly tables: ReadonlyMap<number, Table>
  /** The oldest write-ahead log that is not yet in tables. */
  readonly logNumber: number
  readonly lastSequence: number
  /** Everything up to this sequence is in tables: a log that begins earlier is an old one. */
  readonly flushedTo: number
}

/** A table file; its keys are LevelDB's own, with sequence and type in the last eight bytes. */
export interface Table {
  readonly sizeBytes: number
  readonly smallest: Buffer
  readonly largest: Buffer
}

/** The state after all edits of a manifest, or what is wrong with it. */
export function readManifest(bytes: Buffer): Manifest | string {
  const { records, damage } = readLogFile(bytes)
  if (damage !== undefined) return damage
  const tables = new Map<number, Table>()
  const numbers = new Map<number, number>()
  let flushedTo = 0
  let atLastLog: number | undefined
  try {
    for (const record of records) {
      const edit = readEdit(record, tables)
      for (const { smallest, largest } of edit.added) {
        flushedTo = Math.max(flushedTo, sequenceOf(smallest), sequenceOf(largest))
      }
      const oldLog = numbers.get(tags.log)
      for (const [tag, number] of edit.numbers) numbers.set(tag, number)
      if (numbers.get(tags.log) === oldLog) continue
      // LevelDB opens with everything in tables. Later it names the next log when the tables have all of the one
      // before; by then the next one may already be written, so that only what was there when the one before was
      // named is sure.
      const lastSequence = numbers.get(tags.lastSequence) ?? 0
      flushedTo = Math.max(flushedTo, atLastLog ?? lastSequence)
      atLastLog = lastSequence
    }
  } catch {
    return 'an edit that cannot be read'
  }
  const logNumber = numbers.get(tags.log)
  const lastSequence = numbers.get(tags.lastSequence)
  if (logNumber === undefined || lastSequence === undefined || !numbers.has(tags.nextFile)) {
    return 'it ends before its first state'
  }
  return { tables, logNumber, lastSequence, flushedTo }
}

const tags = {
  comparator: 1,
  log: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
}
const numberTags = new Set([tags.log, tags.nextFile, tags.lastSequence, tags.previousLog])

interface Edit {
  readonly added: readonly Table[]
  readonly numbers: ReadonlyMap<number, number>
}

/** Applies one edit. A move to another level removes and adds the same file in one edit: what is added stays. */
function readEdit(edit: Buffer, tables: Map<number, Table>): Edit {
  const cursor = createCursor(edit)
  const added = new Map<number, Table>()
  const numbers = new Map<number, number>()
  while (cursor.at < edit.length) {
    const tag = cursor.number()
    if (tag === tags.comparator) cursor.bytes()
    else if (tag === tags.compactPointer) {
      cursor.number()
      cursor.bytes()
    } else if (tag === tags.deletedFile) {
      cursor.number()
      tables.delete(cursor.number())
    } else if (tag === tags.newFile) {
      cursor.number()
      const number = cursor.number()
      const sizeBytes = cursor.number()
      added.set(number, { sizeBytes, smallest: cursor.bytes(), largest: cursor.bytes() })
    } else if (numberTags.has(tag)) numbers.set(tag, cursor.number())
    else throw new RangeError(`tag ${tag}`)
  }
  for (const [number, table] of added) tables.set(number, table)
  return { added: [...added.values()], numbers }
}

/** The sequence of a key of LevelDB: seven of its last eight bytes; the first of them is its type. */
function sequenceOf(key: Buffer): number {
  return Number(key.readBigUInt64LE(key.length - 8) >> 8n)
}
