import { tidemarkError } from './errors.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { OutRecord } from './kafka/writer.ts'
import type { Change } from './store/store.ts'
import type { CheckpointRecord, Wire } from './wire.ts'

/** The key under which a changelog and a store keep the checkpoint. */
export const checkpointKey = '~checkpoint'

/** In the store only: the changelog offset behind the checkpoint that the store holds. */
export const filledKey = '~filled'

/** In the changelog only, always a tombstone: written so that the partition refuses a predecessor's batches. */
export const fenceKey = '~fence'

/** What a changelog record says. */
export type Entry = { readonly change: Change } | { readonly checkpoint: CheckpointRecord }

/** The way between state and the records of a changelog. */
export interface Changelog {
  record(change: Change): OutRecord
  /** The last record of a commit: whoever has it has everything. */
  seal(checkpoint: CheckpointRecord): OutRecord
  /** Fetches the writer schemas that records need; call it before `read`. */
  prepare(records: readonly FetchedRecord[]): Promise<void>
  /** @throws TM_INTERNAL_RECORD */
  read(record: FetchedRecord): Entry
}

const schema = 'ChangelogEntry'

export function createChangelog(wire: Wire, topic: string): Changelog {
  const frame = frameOf(wire, topic)

  function decode(name: string, bytes: Buffer): Entry {
    const entry = wire.decode(schema, bytes)
    if (name === checkpointKey) return { checkpoint: entry['checkpoint'] as unknown as CheckpointRecord }
    return { change: [name, Buffer.from(entry['value'] as Uint8Array)] }
  }

  return {
    record: ([key, value]) => ({
      key: Buffer.from(key),
      value: value === undefined ? null : frame.wrap(value),
    }),
    seal: (checkpoint) => ({
      key: Buffer.from(checkpointKey),
      value: wire.encode(schema, { value: null, checkpoint }, topic),
    }),
    prepare: (records) =>
      wire.prepare(
        schema,
        records.flatMap(({ value }) => (value === null || frame.fits(value) ? [] : [value])),
      ),
    read({ key, value, topic, partition, offset }) {
      if (key === null)
        throw tidemarkError('TM_INTERNAL_RECORD', `${topic}/${partition} at ${offset}: no key`)
      const name = key.toString('utf8')
      if (value === null) return { change: [name, undefined] }
      const bytes = frame.unwrap(value)
      return bytes === undefined ? decode(name, value) : { change: [name, bytes] }
    },
  }
}

/**
 * Almost every record of a changelog is the Avro of {value, checkpoint: null}: the header, the union's branch, a
 * length, the bytes, the other union's null. Written and read in place, without the codec.
 */
function frameOf(wire: Wire, topic: string) {
  const empty = wire.encode(schema, { value: Buffer.alloc(0), checkpoint: null }, topic)
  // The empty value's own two bytes are its length and the null.
  const head = empty.subarray(0, empty.length - 2)

  return {
    wrap(value: Buffer): Buffer {
      const length = value.length * 2
      const framed = Buffer.allocUnsafe(head.length + lengthBytes(length) + value.length + 1)
      head.copy(framed)
      let at = head.length
      for (let rest = length; ; rest = Math.floor(rest / 128)) {
        framed[at++] = rest < 128 ? rest : (rest % 128) | 0x80
        if (rest < 128) break
      }
      value.copy(framed, at)
      framed[framed.length - 1] = 0
      return framed
    },
    fits: (bytes: Buffer) =>
      bytes.length > head.length && bytes.compare(head, 0, head.length, 0, head.length) === 0,
    /** The value as a view into the record, or undefined when the record is of another form. */
    unwrap(bytes: Buffer): Buffer | undefined {
      if (!this.fits(bytes)) return undefined
      let at = head.length
      let length = 0
      for (let scale = 1; at < bytes.length; scale *= 128) {
        const byte = bytes[at++]!
        length += (byte & 0x7f) * scale
        if (byte < 128) break
      }
      const end = at + length / 2
      return end === bytes.length - 1 && bytes[end] === 0 ? bytes.subarray(at, end) : undefined
    },
  }
}

function lengthBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}
