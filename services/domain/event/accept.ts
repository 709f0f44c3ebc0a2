/**
 * The one gate through which a record of a user's topic enters: decoded, contracted, not from the far future, not
 * seen before, and in time or not. Everything it decides is a function of the log alone.
 */

import type { Emission, EventTime, Place, RecordHeaders, StateReader, Turn, Wake } from '../operator.ts'
import type { Checked, Stream, Value } from './contract.ts'
import { checkEvent } from './contract.ts'

/** A record of a user's topic as the runtime hands it over: the bytes as they came, and what they decode to. */
export interface SourceRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: RecordHeaders
  readonly decoded:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly detail: string }
}

/** What becomes of a late event: it is scored and marked, sent to the late topic, or kept like any other (labels). */
export type LatePolicy = 'score' | 'drop' | 'keep'

export interface Gate {
  /** The stage that stands at the gate; named in its late records and dead letters. */
  readonly stage: string
  readonly stream: Stream
  readonly late: LatePolicy
  /** What makes two records the same one; the event's id if not given. */
  readonly identify?: (event: AcceptedEvent) => string
}

export interface AcceptedEvent {
  readonly id: string
  readonly time: EventTime
  readonly values: Readonly<Record<string, Value>>
  readonly flagged: readonly string[]
  readonly late: boolean
}

type Bookkeeping = Pick<Turn, 'put' | 'wake' | 'watermark'>

export type Acceptance =
  | ({ readonly kind: 'accepted'; readonly event: AcceptedEvent } & Bookkeeping)
  | ({ readonly kind: 'rejected' } & Turn)

/**
 * Decides about one record, in this order: undecodable, contract, far future, duplicate, late. An accepted event
 * comes with the puts, the wake and the watermark that its turn must carry; a rejection is a whole turn. Late means
 * older than the partition's watermark (the largest event time so far minus the allowed lateness) when it arrived.
 */
export function acceptEvent(gate: Gate, state: StateReader, record: SourceRecord, place: Place): Acceptance {
  if (!record.decoded.ok) return deadLetter(gate, record, place, 'undecodable', record.decoded.detail)
  const checked = checkEvent(gate.stream, record.decoded.value)
  if (!checked.ok) return deadLetter(gate, record, place, checked.reason, checked.detail)
  if (checked.time > place.timestamp + gate.stream.maxAheadMs) {
    return deadLetter(gate, record, place, 'far-future', farFutureDetail(gate.stream, checked, place))
  }
  const event = { ...checked, late: checked.time < place.watermark }
  const seenKey = `${seenPrefix}${gate.identify === undefined ? event.id : gate.identify(event)}`
  if (state.get(seenKey) !== undefined) return { kind: 'rejected', verdict: 'duplicate' }

  const watermark = Math.max(place.watermark, event.time - gate.stream.latenessMs)
  const bookkeeping = {
    put: [[seenKey, event.time] as const],
    wake: [{ at: Math.max(event.time, watermark) + gate.stream.dedupeMs, key: seenKey }],
    watermark,
  }
  if (event.late && gate.late === 'drop') {
    const emit = [lateRecord(gate, record, event, place)]
    return { kind: 'rejected', verdict: 'late', emit, ...bookkeeping }
  }
  return { kind: 'accepted', event: withoutOk(event), ...bookkeeping }
}

/** The turn of a wake that the gate asked for: the id may be forgotten. Undefined when the wake is another's. */
export function forgetSeen(wake: Wake): Turn | undefined {
  return wake.key.startsWith(seenPrefix) ? { verdict: 'applied', put: [[wake.key, undefined]] } : undefined
}

/** The turn of a record that could not be used: it is kept as it came, with its coordinates and the reason. */
export function deadLetter(
  gate: Gate,
  record: SourceRecord,
  place: Place,
  reason: string,
  detail: string,
): Extract<Acceptance, { kind: 'rejected' }> {
  const value = {
    ...coordinates(place),
    stage: gate.stage,
    reason,
    detail,
    key: record.key,
    value: record.value,
    valueSha256: null,
    truncated: false,
  }
  const headers = record.headers === undefined ? {} : { headers: record.headers }
  return {
    kind: 'rejected',
    verdict: 'dead-letter',
    emit: [{ to: 'deadLetters', key: keyText(record, place), value, ...headers }],
  }
}

const seenPrefix = 'seen/'

function withoutOk(event: AcceptedEvent): AcceptedEvent {
  return { id: event.id, time: event.time, values: event.values, flagged: event.flagged, late: event.late }
}

function farFutureDetail(stream: Stream, event: Extract<Checked, { ok: true }>, place: Place): string {
  const aheadMs = event.time - place.timestamp
  return `${stream.time} is ${aheadMs} ms ahead of the record's timestamp; allowed are ${stream.maxAheadMs} ms`
}

function lateRecord(gate: Gate, record: SourceRecord, event: AcceptedEvent, place: Place): Emission {
  const value = {
    ...coordinates(place),
    id: event.id,
    time: event.time,
    latenessMs: place.watermark - event.time,
    watermarkAt: place.watermark,
    reason: 'after-watermark',
    stage: gate.stage,
    raw: record.value ?? new Uint8Array(),
  }
  return { to: 'late', key: keyText(record, place), value }
}

function coordinates(place: Place) {
  return { topic: place.topic, partition: place.partition, offset: place.offset, timestamp: place.timestamp }
}

/** Longer keys would be repeated in every record about the record. */
const longestKeyBytes = 1_024

/** The key as it came, as text; a record whose key is absent, long or no text is keyed by where it stood. */
function keyText({ key }: SourceRecord, { topic, partition, offset }: Place): string {
  const coordinates = `${topic}/${partition}/${offset}`
  if (key === null || key.length > longestKeyBytes) return coordinates
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(key)
  } catch {
    return coordinates
  }
}
