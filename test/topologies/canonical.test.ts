import fc from 'fast-check'
import { bins, count, event, number, oneOf, string, timestamp, topology } from 'tidemark'
import { describe, expect, test } from 'vitest'
import { canonicalJson, hashFeature, hashFeatureSet, hashTopology } from '../../topologies/canonical.ts'
import { compile } from '../../topologies/compile.ts'
import type { FieldSpecs } from '../../topologies/events.ts'
import { features, model, monitors, options, payment, shop } from './cards.ts'

describe('canonical JSON', () => {
  test('sorts keys, leaves out what is undefined and writes numbers in one way', () => {
    expect(canonicalJson({ b: [1, { d: null, c: undefined }], a: -0, '10': 1e21, '9': 0.1 })).toBe(
      '{"10":1e+21,"9":0.1,"a":0,"b":[1,{"d":null}]}',
    )
  })

  test('refuses what is no data', () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, Symbol('x'), undefined])
      expect(() => canonicalJson({ wrong: [wrong] })).toThrow(/cannot be written as JSON/)
  })

  test('does not depend on the order of keys, and loses nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (data) => {
        const shuffled = Object.fromEntries(Object.entries(data).reverse())
        const text = canonicalJson(data)
        return canonicalJson(shuffled) === text && canonicalJson(JSON.parse(text)) === text
      }),
      { seed: 20010206, verbose: true },
    )
  })
})

/** An object whose properties were declared the other way round, all the way down through plain objects. */
function reversed<Shape>(value: Shape): Shape {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  if (Object.getOwnPropertySymbols(value).length > 0) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  ) as Shape
}

describe('the hash of a topology', () => {
  const segments = {
    size: bins(payment.amount, [10, 100]),
    country: oneOf(payment.country, ['DE', 'FR'], 'other'),
  }
  const full = { ...options, segments, log: ['amount', 'cardPayments1h'] as const }
  const hash = (change: object = {}) =>
    hashTopology(compile(topology('cards', { ...full, ...change } as never)))

  test('is the same in whatever order things are declared', () => {
    const shuffled = reversed(full)
    expect(Object.keys(shuffled)).not.toEqual(Object.keys(full))
    const country = oneOf(payment.country, ['FR', 'DE'], 'other')
    const change = {
      ...shuffled,
      log: ['cardPayments1h', 'amount'],
      segments: { country, size: segments.size },
    }
    expect(hashTopology(compile(topology('cards', change as never)))).toBe(hash())
    const models = [{ ...model, name: 'b', role: 'shadow' }, model]
    expect(hash({ model: undefined, models })).toBe(hash({ model: undefined, models: models.toReversed() }))
  })

  test('is the same in whatever order fields are declared', () => {
    const declared = (fields: FieldSpecs) =>
      event('cards.payments', {
        id: 'payment',
        time: 'paid',
        lateness: '10m',
        fields,
      } as never)
    const compiled = (score: unknown) =>
      compile(
        topology('cards', {
          ...full,
          score,
          features: { amount: (score as typeof payment).amount },
          model: { ...model, inputs: ['amount'] },
          segments: {},
          log: [],
          label: { ...options.label, joins: { payment: (score as typeof payment).payment } },
        } as never),
      )
    const fields: FieldSpecs = {
      payment: string(),
      paid: timestamp(),
      shop,
      amount: number(),
      country: string(),
    }
    expect(hashTopology(compiled(declared(reversed(fields))))).toBe(hashTopology(compiled(declared(fields))))
  })

  test('changes with a window, an input’s place, a threshold, a contract, an owner and a playbook', () => {
    const changes = [
      { features: { ...features, cardPayments1h: count(payment).by(payment.card).over('2h') } },
      {
        features: {
          ...features,
          cardPayments1h: count(payment).by(payment.card).over('1h', { self: 'exclude' }),
        },
      },
      { model: { ...model, inputs: model.inputs.toReversed() } },
      { model: { ...model, threshold: 0.6 } },
      { model: { ...model, sha256: 'a'.repeat(64) } },
      { owner: 'others@example.org' },
      { monitors: { ...monitors, playbooks: { harm: 'roll-back' } } },
      { late: 'drop' },
      { segments: { ...segments, size: bins(payment.amount, [10, 101]) } },
    ]
    const hashes = [hash(), ...changes.map(hash)]
    expect(new Set(hashes).size).toBe(hashes.length)
  })

  test('the hash of the feature set covers what features mean, and nothing else', () => {
    const set = (change: object) => compile(topology('cards', { ...full, ...change } as never)).featureSet
    const before = set({})
    expect(set({ model: { ...model, threshold: 0.6 }, owner: 'others@example.org', late: 'drop' })).toBe(
      before,
    )
    expect(set({ features: reversed(features) })).toBe(before)
    expect(set({ features: { ...features, other: payment.amount } })).not.toBe(before)
    const compiled = compile(topology('cards', full))
    expect(compiled.featureSet).toBe(hashFeatureSet(compiled.features))
    const { amount } = compiled.features
    expect(hashFeature({ ...amount!, description: 'x' })).toBe(hashFeature(amount!))
    expect(hashFeature({ ...amount!, version: 2 })).not.toBe(hashFeature(amount!))
  })
})
