import { describe, expect, it } from 'vitest'
import {
  details,
  detailsJson,
  jsonLine,
  summaryOf,
  table,
  visible,
} from '../../services/cli/dead-letters-text.ts'
import { fits, type Letter, targetsOf } from '../../services/cli/dead-letters-topic.ts'
import { examples } from '../schemas/examples.ts'

const letter: Letter = {
  place: '0/17',
  at: Date.UTC(2026, 0, 31),
  record: {
    ...examples.DeadLetter,
    ...{ topic: 'orders', partition: 3, offset: 42, timestamp: -1, stage: 'ingest', reason: 'contract' },
    ...{
      detail: 'amount: is null or absent',
      key: Buffer.from('secret key'),
      value: Buffer.from('secret\u001b[2J'),
    },
    ...{ valueSha256: null, truncated: false },
  },
  headers: { trace: Buffer.from('secret \u009b31m'), '__streams.errors.topic': Buffer.from('orders') },
}

describe('what is printed', () => {
  it.each([
    ['\u001b[31mred', '\\u{1b}[31mred'],
    ['a\r\nb\tc\u0000', 'a\\u{d}\\u{a}b\\u{9}c\\u{0}'],
    ['\u009b2J \u202eevil \u200d \u2028', '\\u{9b}2J \\u{202e}evil \\u{200d} \\u{2028}'],
    ['\ufeff\ud800', '\\u{feff}\\u{d800}'],
    ['Zürich 東京 😀', 'Zürich 東京 😀'],
  ])('shows what a terminal would obey as its number: %j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  it('is JSON that reads back as it was, whatever is escaped', () => {
    const value = { text: '\u001b[31m\u009b\u202e\u{e0001}\ud800 Zürich 😀' }
    expect(jsonLine(value)).toMatch(/^[^\p{C}]*$/u)
    expect(JSON.parse(jsonLine(value))).toEqual(value)
  })

  it('holds no key, value or header of the record unless that is asked for', () => {
    for (const text of [
      table([summaryOf(letter)]),
      details(letter, false),
      jsonLine(detailsJson(letter, false)),
    ]) {
      expect(text).not.toContain('secret')
      expect(text).not.toContain(Buffer.from('secret').toString('base64'))
    }
    expect(details(letter, false)).toContain('trace, 12 bytes')
    const whole = details(letter, true)
    expect(whole).toContain('73 65 63 72 65 74 1b 5b 32 4a')
    expect(whole).toContain('|secret.[2J|')
    expect(whole).toContain('trace = secret ')
    expect(whole.replaceAll('\n', '')).toMatch(/^[^\p{C}]*$/u)
  })

  it('tells coordinates, sizes and times, and that Kafka had none', () => {
    expect(table([summaryOf(letter)])).toContain(
      '0/17    2026-01-31T00:00:00.000Z  orders:3:42  ingest  contract  10 bytes  10 bytes  amount: is null or absent',
    )
    expect(details(letter, false)).toContain('orders:3:42, Kafka timestamp none')
  })
})

describe('a letter', () => {
  it('is named by its place or by where its record stood', () => {
    expect(fits(letter, { targets: targetsOf(['0/17']) })).toBe(true)
    expect(fits(letter, { targets: targetsOf(['orders:3:42']) })).toBe(true)
    expect(fits(letter, { targets: targetsOf(['0/18', 'orders:3:43']) })).toBe(false)
  })

  it.each(['17', 'orders/3/42', 'orders:3', '0/-1', '', '0/17 '])('is not named by %j', (name) => {
    expect(() => targetsOf([name])).toThrow(expect.objectContaining({ code: 'TM_USAGE' }))
  })
})
