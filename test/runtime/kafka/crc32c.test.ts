import { expect, it } from 'vitest'
import { crc32c } from '../../../services/runtime/kafka/crc32c.ts'

it('gives the check value of its definition', () => {
  expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283)
})

it('is the same wherever the bytes lie and whatever their number is', () => {
  const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => (index * 37 + 11) % 251))
  for (let from = 0; from < 9; from += 1) {
    for (let to = from; to <= bytes.length; to += 1)
      expect(crc32c(bytes, from, to)).toBe(bitwise(bytes, from, to))
  }
})

function bitwise(bytes: Buffer, from: number, to: number): number {
  let crc = -1
  for (const byte of bytes.subarray(from, to)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
