import { recordCodec } from '../../services/runtime/codec/avro.ts'
import type { PlainWriter } from '../../services/runtime/kafka/writer.ts'
import { journalRecord, type Keys } from './records.ts'

/** One request: large enough to be cheap, small enough for one record batch. */
const chunkRecords = 4_000

/** Writes the records `from` to `to` of a bench to its journal. */
export async function fillJournal(
  writer: PlainWriter,
  topic: string,
  schemaId: number,
  { from, to, keys }: { from: number; to: number; keys: Keys },
): Promise<{ bytes: number }> {
  const codec = recordCodec('JournalEntry')
  let bytes = 0
  for (let at = from; at < to; at += chunkRecords) {
    const records = Array.from({ length: Math.min(chunkRecords, to - at) }, (_, index) => {
      const record = journalRecord(at + index, keys)
      const value = codec.encode(record, schemaId)
      bytes += value.length
      return { key: Buffer.from(record.key), value }
    })
    await writer.write([{ topic, partition: 0, records }])
  }
  return { bytes }
}
