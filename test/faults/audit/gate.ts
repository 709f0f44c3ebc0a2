import type { Stream, Value } from '../../../services/domain/event/contract.ts'
import type { Decoder } from './avro.ts'
import { contracted } from './contract.ts'
import { type Ledger, printOf } from './ledger.ts'
import type { StoredRecord } from './source.ts'

/** What must become of one record of a user's topic. */
export type Fate =
  | ({ readonly kind: 'accepted' | 'late' | 'duplicate' } & Event)
  /** The reason is left open where only the ledger says that the record is poison. */
  | { readonly kind: 'dead'; readonly reason: string | undefined }

export interface Event {
  readonly id: string
  readonly time: number
  readonly values: Readonly<Record<string, Value>>
  readonly isLate: boolean
}

export interface GateRules {
  readonly stream: Stream
  /** Whether a late event is set aside. */
  readonly dropsLate: boolean
  /** What makes two records the same one. */
  identify(event: Event): string
  /** Why an event that keeps its contract cannot be used after all. */
  refuse?(event: Event): string | undefined
}

/** One partition of a user's topic in offset order: every fate is a function of the records so far. */
export interface Gate {
  judge(record: StoredRecord): Fate
  /** The largest accepted event time so far, less the allowed lateness. */
  readonly watermark: number
}

const beforeTime = -8_640_000_000_000_000

export function createGate(rules: GateRules, decoder: Decoder, ledger: Ledger | undefined): Gate {
  const { stream, dropsLate } = rules
  // Until when of event time an id is remembered.
  const seen = new Map<string, number>()
  let watermark = beforeTime

  function judge({ value, timestamp }: StoredRecord): Fate {
    if (ledger?.isPoison(stream.topic, printOf(value))) return { kind: 'dead', reason: undefined }
    const fields = decoder.user(value)
    if (fields === undefined) return { kind: 'dead', reason: 'undecodable' }
    const event = contracted(stream, fields)
    if (!event.ok) return { kind: 'dead', reason: event.reason }
    const { id, time, values } = event
    if (time > timestamp + stream.maxAheadMs) return { kind: 'dead', reason: 'far-future' }
    const known = { id, time, values, isLate: time < watermark }
    const name = rules.identify(known)
    const until = seen.get(name)
    if (until !== undefined && until > watermark) return { kind: 'duplicate', ...known }
    const reason = rules.refuse?.(known)
    if (reason !== undefined) return { kind: 'dead', reason }
    watermark = Math.max(watermark, time - stream.latenessMs)
    seen.set(name, Math.max(time, watermark) + stream.dedupeMs)
    return { kind: known.isLate && dropsLate ? 'late' : 'accepted', ...known }
  }

  return {
    judge,
    get watermark() {
      return watermark
    },
  }
}
