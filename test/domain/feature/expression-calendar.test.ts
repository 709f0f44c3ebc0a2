import fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluate } from '../../../services/domain/feature/expression.ts'

const hour = (iso: string, zone: string) =>
  evaluate({ op: 'hour', of: { op: 'field', name: 't' }, zone }, { t: Date.parse(iso) })
const weekday = (iso: string, zone: string) =>
  evaluate({ op: 'weekday', of: { op: 'field', name: 't' }, zone }, { t: Date.parse(iso) })

test('midnight is hour 0, and a week runs from Monday, 1, to Sunday, 7', () => {
  expect(hour('2001-01-01T00:00:00Z', 'UTC')).toBe(0)
  expect(hour('2001-01-01T23:59:59.999Z', 'UTC')).toBe(23)
  expect([1, 2, 3, 4, 5, 6, 7].map((day) => weekday(`2001-01-0${day}T12:00:00Z`, 'UTC'))).toEqual([
    1, 2, 3, 4, 5, 6, 7,
  ])
})

test('in New York the hour after 01:59 is 3 when summer time begins, and 1 comes twice when it ends', () => {
  const zone = 'America/New_York'
  expect(hour('2024-03-10T06:59:59Z', zone)).toBe(1)
  expect(hour('2024-03-10T07:00:00Z', zone)).toBe(3)
  expect(hour('2024-11-03T05:30:00Z', zone)).toBe(1)
  expect(hour('2024-11-03T06:30:00Z', zone)).toBe(1)
  expect(hour('2024-11-03T07:00:00Z', zone)).toBe(2)
})

test('zones whose offset is a part of an hour, and days that begin elsewhere first', () => {
  expect(hour('2024-01-01T18:15:00Z', 'Asia/Kathmandu')).toBe(0)
  expect(hour('2024-01-01T18:14:59Z', 'Asia/Kathmandu')).toBe(23)
  expect(hour('2024-04-06T15:30:00Z', 'Australia/Lord_Howe')).toBe(2)
  expect(weekday('2024-01-01T11:00:00Z', 'Pacific/Kiritimati')).toBe(2)
  expect(weekday('2024-01-01T05:00:00Z', 'America/Los_Angeles')).toBe(7)
})

test('an hour may turn at any second: offsets had seconds, and Newfoundland changed its clocks at 00:01', () => {
  expect(hour('1960-01-01T00:44:29Z', 'Africa/Monrovia')).toBe(23)
  expect(hour('1960-01-01T00:44:30Z', 'Africa/Monrovia')).toBe(0)
  expect(hour('1975-01-01T10:39:59Z', 'Pacific/Kiritimati')).toBe(23)
  expect(hour('1975-01-01T10:40:00Z', 'Pacific/Kiritimati')).toBe(0)
  expect(hour('2001-04-01T03:30:59Z', 'America/St_Johns')).toBe(0)
  expect(hour('2001-04-01T03:31:00Z', 'America/St_Johns')).toBe(1)
})

test('time has a first and a last hour, and outside of it there is none', () => {
  const at = (t: number) => evaluate({ op: 'hour', of: { op: 'field', name: 't' }, zone: 'UTC' }, { t })
  expect([at(-8.64e15), at(8.64e15), at(-8.64e15 - 2), at(8.64e15 + 2)]).toEqual([0, 0, null, null])
})

test('what is remembered equals what the platform says', () => {
  const zones = [
    'UTC',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Africa/Monrovia',
    'Europe/Amsterdam',
  ]
  const instants = fc.integer({ min: Date.UTC(1900, 0, 1), max: Date.UTC(2060, 0, 1) })
  fc.assert(
    fc.property(fc.constantFrom(...zones), instants, (zone, ms) => {
      const naive = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        hour: '2-digit',
        hourCycle: 'h23',
      }).format(ms)
      return evaluate({ op: 'hour', of: { op: 'field', name: 't' }, zone }, { t: ms }) === Number(naive)
    }),
    { seed: 20010205, verbose: true, numRuns: 300 },
  )
})
