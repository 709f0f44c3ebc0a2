import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { deadLetterHeaders, trimDeadLetter } from '../../services/runtime/dead-letter.ts'

const letter = { reason: 'undecodable', valueSha256: null, truncated: false }

it.each([null, Buffer.alloc(0), Buffer.alloc(1_000_000, 'x')])(
  'a value that a topic takes is kept whole',
  (value) => {
    const whole = { ...letter, value }
    expect(trimDeadLetter(whole)).toBe(whole)
  },
)

it('of a larger value the beginning is kept, and the sha256 of all of it', () => {
  const value = Buffer.alloc(1_000_001, 'abc')
  const trimmed = trimDeadLetter({ ...letter, value })
  const valueSha256 = createHash('sha256').update(value).digest('hex')
  expect(trimmed).toEqual({ ...letter, value: value.subarray(0, 65_536), valueSha256, truncated: true })
})

it('of a large key the beginning is kept too: key and value have one bound together', () => {
  const key = Buffer.alloc(600_000, 0xff)
  const value = Buffer.alloc(600_000, 'x')
  const trimmed = trimDeadLetter({ ...letter, key, value })
  expect(trimmed).toMatchObject({
    truncated: true,
    valueSha256: createHash('sha256').update(value).digest('hex'),
  })
  expect(trimmed['key']).toEqual(key.subarray(0, 65_536))
  expect(trimmed['value']).toEqual(value.subarray(0, 65_536))
  expect(trimDeadLetter({ ...letter, key, value: null })).toMatchObject({ key, truncated: false })
})

const about = {
  topic: 'orders',
  partition: 3,
  offset: 42,
  reason: 'contract',
  detail: 'é: is null or absent',
}

it('says what it is about in the headers of KIP-1034, as text', () => {
  const texts = Object.entries(deadLetterHeaders(about)).map(([name, value]) => [name, value.toString()])
  expect(Object.fromEntries(texts)).toEqual({
    '__streams.errors.exception': 'contract',
    '__streams.errors.message': 'é: is null or absent',
    '__streams.errors.topic': 'orders',
    '__streams.errors.partition': '3',
    '__streams.errors.offset': '42',
  })
})

it('keeps the headers of its record, whatever their names', () => {
  const own: Record<string, Buffer> = Object.create(null)
  for (const name of ['trace', '__proto__', 'constructor', '']) own[name] = Buffer.from([0, 255])
  const headers = deadLetterHeaders(about, own)
  expect(Object.keys(headers)).toEqual([...Object.keys(own), ...Object.keys(deadLetterHeaders(about))])
  expect(Object.values(headers).slice(0, 4)).toEqual(Object.values(own))
  expect(Object.keys(Object.prototype)).toEqual([])
})

it('is not led astray by a record that brings such headers itself', () => {
  const headers = deadLetterHeaders(about, { '__streams.errors.topic': Buffer.from('payroll') })
  expect(headers['__streams.errors.topic']?.toString()).toBe('orders')
})

it('leaves out headers beyond 64 KiB together, and says how many there were', () => {
  const one = (size: number) => ({ a: Buffer.alloc(size) })
  expect(deadLetterHeaders(about, one(65_525))['a']).toHaveLength(65_525)
  const without = deadLetterHeaders(about, { ...one(65_525), b: Buffer.alloc(0) })
  expect(Object.hasOwn(without, 'a')).toBe(false)
  expect(without['tidemark.headers-left-out']?.toString()).toBe('2')
})
