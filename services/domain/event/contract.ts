import { DefinitionError } from '../definition-error.ts'
import type { EventTime } from '../operator.ts'
import { timestampOf } from './timestamp.ts'

export type Value = null | boolean | number | string

/** What becomes of a value that breaks its contract: the record is refused, the value is dropped, or it is kept and noted. */
export type Breach = 'reject' | 'null' | 'flag'
export type FieldType = 'string' | 'number' | 'integer' | 'boolean' | 'timestamp'

export interface Field {
  readonly type: FieldType
  readonly nullable: boolean
  readonly semantics?: string
  /** The entity that this field names. */
  readonly entity?: string
  readonly unit?: string
  /** Both ends belong to it. */
  readonly range?: readonly [number, number]
  /** Matched against the whole string. */
  readonly pattern?: string
  readonly oneOf?: readonly string[]
  readonly breach: Breach
}

export interface Stream {
  readonly topic: string
  readonly partitions: number
  /** The field that identifies an event: a string or an integer. */
  readonly id: string
  /** The field that says when it happened: a timestamp. */
  readonly time: string
  readonly latenessMs: number
  /** How far an event's time may be ahead of its Kafka timestamp. */
  readonly maxAheadMs: number
  /** For how long of event time an id is remembered. */
  readonly dedupeMs: number
  /** After how long without a record a partition no longer holds back the others. */
  readonly idleMs: number
  readonly fields: Readonly<Record<string, Field>>
}

export interface Accepted {
  readonly ok: true
  readonly id: string
  readonly time: EventTime
  /** Every contracted field, null when absent; timestamps in ms. */
  readonly values: Readonly<Record<string, Value>>
  /** Fields whose value broke the contract and was dropped or only noted. */
  readonly flagged: readonly string[]
}

export interface Refused {
  readonly ok: false
  readonly reason: 'contract' | 'no-time' | 'no-id'
  /** Names the field and the rule; never a string out of the record. */
  readonly detail: string
}

export type Checked = Accepted | Refused

/** What a field's value turned out to be: kept, kept although it breaks a rule, or of no use. */
type Reading = { readonly value: Value; readonly broken?: string } | { readonly useless: string }

interface FieldCheck {
  readonly name: string
  readonly breach: Breach
  readonly read: (raw: unknown) => Reading
}

const checks = new WeakMap<Stream, (decoded: unknown) => Checked>()

/**
 * Checks one decoded record against its stream's contract. Fields outside the contract are ignored, and so is whatever
 * the record's prototype offers. A value of the wrong type, or none where one is required, is dropped under `flag` as
 * under `null`: there is nothing to keep.
 */
export function checkEvent(stream: Stream, decoded: unknown): Checked {
  const known = checks.get(stream)
  if (known !== undefined) return known(decoded)
  const check = compileContract(stream)
  checks.set(stream, check)
  return check(decoded)
}

function compileContract(stream: Stream): (decoded: unknown) => Checked {
  const fields = Object.entries(stream.fields).map(([name, field]) => fieldCheck(stream, name, field))
  return (decoded) => {
    if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded))
      return refused('contract', 'the record is not an object')
    const record = decoded as Readonly<Record<string, unknown>>
    const own = (name: string) => (Object.hasOwn(record, name) ? (record[name] ?? null) : null)
    if (own(stream.id) === null || own(stream.id) === '') return refused('no-id', `${stream.id}: no id`)
    if (own(stream.time) === null) return refused('no-time', `${stream.time}: no time`)
    const values: Record<string, Value> = {}
    const flagged: string[] = []
    for (const { name, breach, read } of fields) {
      const reading = read(own(name))
      const rule = 'useless' in reading ? reading.useless : reading.broken
      if (rule !== undefined) {
        if (breach === 'reject') return refused('contract', `${name}: ${rule}`)
        flagged.push(name)
      }
      values[name] = 'useless' in reading || (rule !== undefined && breach === 'null') ? null : reading.value
    }
    return { ok: true, id: String(values[stream.id]), time: values[stream.time] as number, values, flagged }
  }
}

/** Without an id or a time there is no event, so these two fields are refused whatever their contract says. */
function fieldCheck(stream: Stream, name: string, field: Field): FieldCheck {
  const vital = name === stream.id || name === stream.time
  const convert = converters[field.type]
  const limits = limitsOf(field)
  const isKey = name === stream.id || field.entity !== undefined
  const read = (raw: unknown): Reading => {
    if (raw === null) return field.nullable && !vital ? { value: null } : { useless: 'is null or absent' }
    const value = convert(raw)
    if (value === undefined) return { useless: wrongType[field.type] }
    if (isKey && String(value).length > longestKey)
      return { useless: `is longer than ${longestKey} characters` }
    for (const limit of limits) {
      const broken = limit(value)
      if (broken !== undefined) return { value, broken }
    }
    return { value }
  }
  return { name, breach: vital ? 'reject' : field.breach, read }
}

type Limit = (value: Value) => string | undefined

/** Ids and entity keys become Kafka keys and are repeated in every record about the event. */
const longestKey = 1_024

function limitsOf({ range, pattern, oneOf }: Field): readonly Limit[] {
  const limits: Limit[] = []
  if (range !== undefined) {
    const [low, high] = range
    limits.push((value) =>
      (value as number) >= low && (value as number) <= high ? undefined : `is outside ${low} to ${high}`,
    )
  }
  if (pattern !== undefined) {
    const whole = wholePattern(pattern)
    limits.push((value) => (whole.test(value as string) ? undefined : `does not match ${pattern}`))
  }
  if (oneOf !== undefined) {
    const allowed = new Set<Value>(oneOf)
    limits.push((value) => (allowed.has(value) ? undefined : 'is not one of the allowed values'))
  }
  return limits
}

/** A pattern that has to match the whole string. @throws DefinitionError when it is no regular expression. */
export function wholePattern(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u')
  } catch {
    throw new DefinitionError(`"${pattern}" is not a regular expression`)
  }
}

const wrongType: Readonly<Record<FieldType, string>> = {
  string: 'is not a string of whole characters',
  number: 'is not a finite number',
  integer: 'is not an integer within ±(2^53 − 1)',
  boolean: 'is neither true nor false',
  timestamp: 'is neither ms since 1970 nor an ISO 8601 time with Z or an offset',
}

/** The value in its contracted form, or undefined when it is none. */
const converters: Readonly<Record<FieldType, (raw: unknown) => Value | undefined>> = {
  // Half a surrogate pair does not survive UTF-8: two keys would become one.
  string: (raw) => (typeof raw === 'string' && raw.isWellFormed() ? raw : undefined),
  number: (raw) => (Number.isFinite(raw) ? (raw as number) : undefined),
  integer: (raw) => (Number.isSafeInteger(raw) ? (raw as number) : undefined),
  boolean: (raw) => (typeof raw === 'boolean' ? raw : undefined),
  timestamp: timestampOf,
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { ok: false, reason, detail }
}
