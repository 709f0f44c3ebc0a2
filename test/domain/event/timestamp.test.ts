import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timestampOf } from '../../../services/domain/event/timestamp.ts'

test.each([
  ['2001-01-01T00:00:00Z', 978_307_200_000],
  ['2001-01-01T00:00Z', 978_307_200_000],
  ['2001-01-01 00:00:00.5z', 978_307_200_500],
  ['2001-01-01T00:00:00.1239Z', 978_307_200_123],
  ['2001-01-01T02:00:00+02:00', 978_307_200_000],
  ['2000-12-31T19:00:00-0500', 978_307_200_000],
  ['2000-02-29T00:00:00Z', 951_782_400_000],
  ['1969-12-31T23:59:59.999Z', -1],
])('%s is an instant', (text, ms) => {
  expect(timestampOf(text)).toBe(ms)
})

test.each([
  '2001-01-01T00:00:00',
  '2001-01-01',
  '2001-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2001-13-01T00:00:00Z',
  '2001-00-01T00:00:00Z',
  '2001-01-00T00:00:00Z',
  '2001-01-01T24:00:00Z',
  '2001-01-01T00:60:00Z',
  '2001-01-01T00:00:60Z',
  '0001-01-01T00:00:00Z',
  ' 2001-01-01T00:00:00Z',
  '2001-01-01T00:00:00Z\n',
  'yesterday',
  '',
])('%j is none', (text) => {
  expect(timestampOf(text)).toBeUndefined()
})

test('what an ISO text says is what Date says', () => {
  const dates = fc.date({
    min: new Date('0100-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(dates, (date) => timestampOf(date.toISOString()) === date.getTime()),
    { seed: 20010201, verbose: true },
  )
})
