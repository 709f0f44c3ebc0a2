import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { trimDeadLetter } from '../../services/runtime/dead-letter.ts'

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
