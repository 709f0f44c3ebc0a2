import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Findings } from './findings.ts'
import type { RecordSource } from './source.ts'

/** A line that was written down before its record was produced. */
export interface LedgerLine {
  readonly n: number
  readonly topic: string
  readonly key: string | null
  readonly kind: string
  readonly id: string
  readonly sha256: string
}

/** What must be in the user's topics. */
export interface Ledger {
  readonly lines: number
  /** Whether a value was written down as poison, by its print. */
  isPoison(topic: string, print: number): boolean
  /** Reports every line whose value is in its topic less often than it was written down. */
  check(source: RecordSource, topics: readonly string[], findings: Findings): void
}

/** The first 52 bits of a value's sha256: in a run of a million values two are equal once in a thousand runs. */
export function printOf(value: Uint8Array | null): number {
  return printOfHex(
    createHash('sha256')
      .update(value ?? new Uint8Array())
      .digest('hex'),
  )
}

export async function readLedger(file: string): Promise<Ledger> {
  const kept: Kept[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line !== '') kept.push(keep(JSON.parse(line) as LedgerLine))
  }
  return ledgerOf(kept)
}

export function createLedger(lines: readonly LedgerLine[]): Ledger {
  return ledgerOf(lines.map(keep))
}

/** Neither values nor whole prints are kept: the ledger of a long run has a million lines. */
interface Kept extends Pick<LedgerLine, 'n' | 'topic' | 'kind' | 'id'> {
  readonly print: number
}

function keep({ n, topic, kind, id, sha256 }: LedgerLine): Kept {
  return { n, topic, kind, id, print: printOfHex(sha256) }
}

function ledgerOf(lines: readonly Kept[]): Ledger {
  const poison = new Set<string>()
  for (const { topic, kind, print } of lines) if (kind === 'poison') poison.add(`${topic}/${print}`)
  return {
    lines: lines.length,
    isPoison: (topic, print) => poison.has(`${topic}/${print}`),
    check(source, topics, findings) {
      for (const topic of topics) {
        const left = countPrints(source, topic)
        for (const line of lines) {
          if (line.topic !== topic) continue
          const count = left.get(line.print) ?? 0
          if (count > 0) left.set(line.print, count - 1)
          else
            findings.add(
              'lost',
              () => `line ${line.n} of the ledger (${line.kind} ${line.id}) is not in ${topic}`,
            )
        }
      }
    },
  }
}

function printOfHex(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 13), 16)
}

function countPrints(source: RecordSource, topic: string): Map<number, number> {
  const prints = new Map<number, number>()
  for (const log of source.partitions(topic)) {
    for (let place = 0; place < log.size; place++) {
      const print = printOf(log.at(place).value)
      prints.set(print, (prints.get(print) ?? 0) + 1)
    }
  }
  return prints
}
