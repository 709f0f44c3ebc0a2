import type { Field, Stream, Value } from '../../../services/domain/event/contract.ts'
import type { Fields } from './avro.ts'

/** What a contract says of one decoded record, worked out from its definition once more. */
export type Contracted =
  | {
      readonly ok: true
      readonly id: string
      readonly time: number
      /** Every contracted field, names sorted. */
      readonly values: Readonly<Record<string, Value>>
    }
  | { readonly ok: false; readonly reason: 'no-id' | 'no-time' | 'contract' }

const longestKey = 1_024
const firstTime = -8_640_000_000_000_000
const lastTime = 8_640_000_000_000_000

export function contracted(stream: Stream, record: Fields): Contracted {
  const raw = (name: string) => (Object.hasOwn(record, name) ? (record[name] ?? null) : null)
  if (raw(stream.id) === null || raw(stream.id) === '') return { ok: false, reason: 'no-id' }
  if (raw(stream.time) === null) return { ok: false, reason: 'no-time' }
  const values: Record<string, Value> = {}
  for (const name of Object.keys(stream.fields).sort()) {
    const field = stream.fields[name]!
    const isVital = name === stream.id || name === stream.time
    const read = readField(field, raw(name), isVital, name === stream.id || field.entity !== undefined)
    if (read.broken && (isVital || field.breach === 'reject')) return { ok: false, reason: 'contract' }
    const value = read.broken && field.breach === 'null' ? null : read.value
    // Minus zero is written as zero.
    values[name] = value === 0 ? 0 : value
  }
  return { ok: true, id: String(values[stream.id]), time: values[stream.time] as number, values }
}

/** The value that is kept under `flag`, and whether the contract is broken. */
function readField(
  field: Field,
  raw: unknown,
  isVital: boolean,
  isKey: boolean,
): { readonly value: Value; readonly broken: boolean } {
  if (raw === null) return { value: null, broken: isVital || !field.nullable }
  const value = converted(field, raw)
  if (value === null || (isKey && String(value).length > longestKey)) return { value: null, broken: true }
  return { value, broken: !isWithin(field, value) }
}

function isWithin({ range, pattern, oneOf }: Field, value: Value): boolean {
  if (range !== undefined && !(Number(value) >= range[0] && Number(value) <= range[1])) return false
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`, 'u').test(String(value))) return false
  return oneOf === undefined || oneOf.some((allowed) => allowed === value)
}

/** Null when the value is not of the field's type. */
function converted({ type }: Field, raw: unknown): Value {
  if (type === 'string') return typeof raw === 'string' && raw.isWellFormed() ? raw : null
  if (type === 'boolean') return typeof raw === 'boolean' ? raw : null
  if (type === 'number') return typeof raw === 'number' && Number.isFinite(raw) ? raw : null
  if (type === 'integer') return Number.isSafeInteger(raw) ? (raw as number) : null
  if (typeof raw === 'number')
    return Number.isSafeInteger(raw) && raw > firstTime && raw < lastTime ? raw : null
  return typeof raw === 'string' ? instantOf(raw) : null
}

const iso = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-]\d\d):?(\d\d))$/

/** ISO 8601 with a zone, by way of Date's own parser; a day that the month does not have comes back as another. */
function instantOf(text: string): number | null {
  const match = iso.exec(text)
  if (match === null) return null
  const [, year, month, day, minutes, seconds = '00', fraction = '', hours, rest = '00'] = match
  if (Number(year) < 100 || Number(hours ?? 0) > 23 || Number(rest) > 59) return null
  const local = `${year}-${month}-${day}T${minutes}:${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}Z`
  const time = Date.parse(local)
  if (Number.isNaN(time) || new Date(time).toISOString() !== local) return null
  const sign = hours?.startsWith('-') ? -1 : 1
  const offset = hours === undefined ? 0 : sign * (Math.abs(Number(hours)) * 60 + Number(rest))
  return time - offset * 60_000
}
