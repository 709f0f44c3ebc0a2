import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'

export type LedgerKind = 'event' | 'duplicate' | 'late' | 'poison' | 'label' | 'feed'

/** A record that is about to be produced; `time` is its event time in ms, null where it has none that can be read. */
export interface LedgerRecord {
  readonly topic: string
  readonly key: string
  readonly kind: LedgerKind
  readonly id: string | null
  readonly time: number | null
  readonly value: Buffer | null
}

export interface LedgerLine extends Omit<LedgerRecord, 'value'> {
  readonly n: number
  readonly sha256: string
  /** Only of poison: everything else is known by its sha256. */
  readonly valueBase64?: string
}

export interface Ledger {
  /** Records written. */
  readonly size: number
  /** On disk when this returns, so that what is produced afterwards is never missing from the ledger. */
  write(records: readonly LedgerRecord[]): void
  close(): void
}

export function openLedger(file: string): Ledger {
  const handle = openSync(file, 'a')
  let n = 0
  return {
    get size() {
      return n
    },
    write(records) {
      const lines = records.map((record) => `${JSON.stringify(lineOf(record, n++))}\n`)
      writeSync(handle, lines.join(''))
      fsyncSync(handle)
    },
    close: () => closeSync(handle),
  }
}

function lineOf({ topic, key, kind, id, time, value }: LedgerRecord, n: number): LedgerLine {
  const sha256 = createHash('sha256')
    .update(value ?? Buffer.alloc(0))
    .digest('hex')
  const line = { n, topic, key, kind, id, time, sha256 }
  return kind === 'poison' ? { ...line, valueBase64: value?.toString('base64') ?? '' } : line
}
