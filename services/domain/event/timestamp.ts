import { beforeTime, type EventTime, endOfTime } from '../operator.ts'

/** Date, time, optional seconds and fraction, and a zone: without one an instant is not known. */
const iso =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)[Tt ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?:[Zz]|(?<sign>[+-])(?<offsetHour>\d\d):?(?<offsetMinute>\d\d))$/

/**
 * An instant in ms: a whole number of ms since 1970-01-01T00:00Z, or ISO 8601 with Z or an offset (finer than a ms is
 * cut off). Undefined for anything else: a local time, a day that the month does not have, a year before 100.
 */
export function timestampOf(raw: unknown): EventTime | undefined {
  if (typeof raw === 'number')
    return Number.isSafeInteger(raw) && raw > beforeTime && raw < endOfTime ? raw : undefined
  if (typeof raw !== 'string') return undefined
  const match = iso.exec(raw)?.groups
  return match === undefined ? undefined : instantOf(match)
}

function instantOf(part: Readonly<Record<string, string | undefined>>): EventTime | undefined {
  const number = (name: string) => Number(part[name] ?? 0)
  const [year, month, day] = [number('year'), number('month'), number('day')]
  const [hour, minute, second] = [number('hour'), number('minute'), number('second')]
  const [offsetHour, offsetMinute] = [number('offsetHour'), number('offsetMinute')]
  if (year < 100 || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59)
    return undefined
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined
  const fractionMs = Number((part['fraction'] ?? '').padEnd(3, '0').slice(0, 3))
  const offsetMs = (offsetHour * 60 + offsetMinute) * 60_000 * (part['sign'] === '-' ? -1 : 1)
  return Date.UTC(year, month - 1, day, hour, minute, second, fractionMs) - offsetMs
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!
}
