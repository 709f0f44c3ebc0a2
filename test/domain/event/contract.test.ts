import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkEvent, type Field, type Stream, type Value } from '../../../services/domain/event/contract.ts'

const field = (type: Field['type'], rules: Partial<Field> = {}): Field => ({
  type,
  nullable: false,
  breach: 'reject',
  ...rules,
})

function streamOf(fields: Record<string, Field>): Stream {
  return {
    topic: 'orders',
    partitions: 1,
    id: 'id',
    time: 'at',
    latenessMs: 0,
    maxAheadMs: 0,
    dedupeMs: 0,
    idleMs: 0,
    fields: { id: field('string'), at: field('timestamp'), ...fields },
  }
}

/** The checked value of a single field beside a good id and time. */
function check(rules: Field, value: unknown) {
  const checked = checkEvent(streamOf({ x: rules }), { id: 'a', at: 5, x: value })
  return checked.ok ? { value: checked.values['x'], flagged: checked.flagged } : checked.detail
}

describe('an accepted event', () => {
  test('has its id, its time and every contracted field, and nothing else', () => {
    const stream = streamOf({ n: field('number'), gone: field('string', { nullable: true }) })
    expect(checkEvent(stream, { id: 'a', at: '2001-01-01T00:00:00Z', n: 1.5, more: 1 })).toEqual({
      ok: true,
      id: 'a',
      time: 978_307_200_000,
      values: { id: 'a', at: 978_307_200_000, n: 1.5, gone: null },
      flagged: [],
    })
  })

  test('may have fields that are called what every object has', () => {
    const names = ['constructor', 'toString', 'length', 'name', 'by', 'time', 'hasOwnProperty', 'valueOf']
    const stream = streamOf(
      Object.fromEntries(names.map((name) => [name, field('number', { nullable: true })])),
    )
    const empty = checkEvent(stream, { id: 'a', at: 1 })
    expect(empty.ok && names.map((name) => empty.values[name])).toEqual(names.map(() => null))
    const full = checkEvent(stream, { id: 'a', at: 1, ...Object.fromEntries(names.map((name) => [name, 7])) })
    expect(full.ok && names.map((name) => full.values[name])).toEqual(names.map(() => 7))
  })

  test('takes an integer as its id', () => {
    const checked = checkEvent(
      { ...streamOf({}), fields: { id: field('integer'), at: field('timestamp') } },
      { id: 42, at: 1 },
    )
    expect(checked.ok && checked.id).toBe('42')
  })

  test('owes nothing to a prototype, nor leaves anything there', () => {
    const stream = streamOf({ x: field('number', { nullable: true }) })
    const inherited = checkEvent(stream, Object.create({ id: 'a', at: 1, x: 3 }))
    expect(inherited).toMatchObject({ ok: false, reason: 'no-id' })
    const checked = checkEvent(stream, JSON.parse('{"id":"a","at":1,"__proto__":{"x":3,"polluted":true}}'))
    expect(checked.ok && checked.values).toEqual({ id: 'a', at: 1, x: null })
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('a record is no event', () => {
  const stream = streamOf({})
  test.each([
    [null, 'contract'],
    [undefined, 'contract'],
    ['text', 'contract'],
    [[1], 'contract'],
    [{ at: 1 }, 'no-id'],
    [{}, 'no-id'],
    [{ id: null, at: 1 }, 'no-id'],
    [{ id: '', at: 1 }, 'no-id'],
    [{ id: 'a' }, 'no-time'],
    [{ id: 'a', at: null }, 'no-time'],
    [{ id: 'a', at: '2001-01-01T00:00:00' }, 'contract'],
    [{ id: 'a', at: 8.64e15 }, 'contract'],
    [{ id: 7, at: 1 }, 'contract'],
  ])('%j: %s', (record, reason) => {
    expect(checkEvent(stream, record)).toMatchObject({ ok: false, reason })
  })

  test('without an id or a time, however lenient their contract', () => {
    const lenient = { nullable: true, breach: 'null' } as const
    const stream = {
      ...streamOf({}),
      fields: { id: field('string', { ...lenient, pattern: 'a+' }), at: field('timestamp', lenient) },
    }
    expect(checkEvent(stream, { id: 'b', at: 1 })).toMatchObject({ ok: false, reason: 'contract' })
    expect(checkEvent(stream, { id: 'a', at: 'soon' })).toMatchObject({ ok: false, reason: 'contract' })
  })
})

describe('a value', () => {
  test.each<[Field['type'], unknown]>([
    ['number', Number.NaN],
    ['number', Number.POSITIVE_INFINITY],
    ['number', '1'],
    ['number', 1n],
    ['integer', 1.5],
    ['integer', 2 ** 53],
    ['integer', -(2 ** 53)],
    ['boolean', 1],
    ['boolean', 'true'],
    ['string', 1],
    ['string', '\ud800'],
    ['timestamp', 1.5],
    ['timestamp', Number.NaN],
  ])('%s refuses %s', (type, value) => {
    expect(check(field(type), value)).toMatch(/^x: is /)
  })

  test('is wanted unless it may be null, and null is as good as absent', () => {
    expect(check(field('number'), null)).toBe('x: is null or absent')
    expect(check(field('number'), undefined)).toBe('x: is null or absent')
    expect(check(field('number', { nullable: true }), null)).toEqual({ value: null, flagged: [] })
    expect(check(field('number', { nullable: true }), undefined)).toEqual({ value: null, flagged: [] })
  })

  test('outside its range is refused, dropped or kept, as the contract says', () => {
    const rules = { range: [0, 10] } as const
    expect(check(field('number', rules), 10)).toEqual({ value: 10, flagged: [] })
    expect(check(field('number', rules), 10.5)).toBe('x: is outside 0 to 10')
    expect(check(field('number', { ...rules, breach: 'null' }), 11)).toEqual({ value: null, flagged: ['x'] })
    expect(check(field('number', { ...rules, breach: 'flag' }), -1)).toEqual({ value: -1, flagged: ['x'] })
  })

  test('that names an entity is of no use beyond 1,024 characters, for it is repeated in every record', () => {
    const shop = { entity: 'shop', nullable: true } as const
    const longest = 'a'.repeat(1_024)
    expect(check(field('string', shop), longest)).toEqual({ value: longest, flagged: [] })
    expect(check(field('string', shop), `${longest}a`)).toBe('x: is longer than 1024 characters')
    expect(check(field('string', { ...shop, breach: 'flag' }), `${longest}a`)).toEqual({
      value: null,
      flagged: ['x'],
    })
    expect(check(field('string'), `${longest}a`)).toEqual({ value: `${longest}a`, flagged: [] })
  })

  test('of a wrong type is dropped where a breach is only noted: there is nothing to keep', () => {
    expect(check(field('number', { breach: 'flag' }), 'x')).toEqual({ value: null, flagged: ['x'] })
    expect(check(field('number', { breach: 'null' }), undefined)).toEqual({ value: null, flagged: ['x'] })
  })

  test('matches its pattern as a whole', () => {
    const code = field('string', { pattern: 'a|[A-Z]{3}' })
    expect(check(code, 'ATL')).toEqual({ value: 'ATL', flagged: [] })
    for (const wrong of ['xATL', 'ATLx', 'ba', 'ATL\n', ''])
      expect(check(code, wrong)).toMatch(/does not match/)
    expect(check(field('string', { pattern: '^[A-Z]{3}$' }), 'ATL')).toEqual({ value: 'ATL', flagged: [] })
  })

  test('is one of those allowed, and a refusal does not repeat what the record said', () => {
    const colour = field('string', { oneOf: ['red', 'blue'] })
    expect(check(colour, 'red')).toEqual({ value: 'red', flagged: [] })
    expect(check(colour, 'secret')).toBe('x: is not one of the allowed values')
  })
})

test('whatever the record, the check answers, and what it accepts keeps the contract', () => {
  const stream = streamOf({
    n: field('number', { range: [-5, 5], nullable: true }),
    i: field('integer', { breach: 'null' }),
    s: field('string', { pattern: '[a-z]*', breach: 'null' }),
    t: field('timestamp', { nullable: true }),
  })
  const anything = fc.oneof(fc.anything(), fc.double(), fc.string(), fc.integer({ min: -9, max: 9 }))
  const record = fc.dictionary(fc.constantFrom('id', 'at', 'n', 'i', 's', 't', '__proto__'), anything)
  fc.assert(
    fc.property(record, (decoded) => {
      const checked = checkEvent(stream, { id: 'a', at: 1, ...decoded })
      if (!checked.ok) return typeof checked.detail === 'string'
      const { n, i, s, t } = checked.values as Record<string, Value>
      const whole = (value: Value | undefined) => value === null || Number.isSafeInteger(value)
      return (
        Object.keys(checked.values).length === 6 &&
        checked.id !== '' &&
        (n === null || Math.abs(n as number) <= 5) &&
        whole(i) &&
        whole(t) &&
        (s === null || /^[a-z]*$/.test(s as string))
      )
    }),
    { seed: 20010131, verbose: true, numRuns: 500 },
  )
})
