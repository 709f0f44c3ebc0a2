import {
  calendar,
  count,
  event,
  feature,
  featureSet,
  integer,
  last,
  mean,
  number,
  string,
  timestamp,
  topology,
} from 'tidemark'
import { describe, expect, test } from 'vitest'
import { DefinitionError } from '../../services/domain/definition-error.ts'
import { compile } from '../../topologies/compile.ts'
import { tree } from '../../topologies/expressions.ts'
import { card, chargeback, features, label, model, monitors, options, payment, shop } from './cards.ts'

/** The one line by which a definition is refused. Types are set aside: they are what this test goes past. */
function refusal(change: object): string {
  try {
    compile(topology('cards', { ...options, ...change } as never))
  } catch (error) {
    expect(error).toBeInstanceOf(DefinitionError)
    expect((error as Error).message).not.toContain('\n')
    return (error as Error).message
  }
  return 'accepted'
}

const withFeature = (value: unknown) => ({ features: { ...features, extra: value } })
const withModel = (change: object) => ({ model: { ...model, ...change } })
const withLabel = (change: object) => ({ label: { ...label, ...change } })
const withMonitors = (change: object) => ({ monitors: { ...monitors, ...change } })
const withPayment = (change: object, field: object = {}) => {
  const fields = {
    payment: string(),
    paid: timestamp(),
    card,
    shop,
    amount: number(),
    country: string(),
    ...field,
  }
  const score = event('cards.payments', {
    id: 'payment',
    time: 'paid',
    lateness: '10m',
    fields,
    ...change,
  } as never) as typeof payment
  return {
    score,
    features: { amount: score.amount },
    model: { ...model, inputs: ['amount'] },
    label: { ...label, joins: { payment: score.payment } },
  }
}

describe('a compiled topology', () => {
  const compiled = compile(topology('cards', options))

  test('has every duration in ms and every default filled in', () => {
    expect(compiled).toMatchObject({
      format: 1,
      name: 'cards',
      alignmentMs: 60_000,
      late: 'score',
      scored: 'cards.payments',
      log: [],
      label: { stream: 'cards.chargebacks', id: 'payment', horizonMs: 30 * 86_400_000, absence: 'unknown' },
      monitors: {
        paneMs: 86_400_000,
        windowMs: 7 * 86_400_000,
        drift: { effect: 0.02, alpha: 0.01, minRows: 500 },
      },
    })
    expect(compiled.streams['cards.payments']).toMatchObject({
      partitions: 4,
      latenessMs: 600_000,
      maxAheadMs: 300_000,
      dedupeMs: 60 * 86_400_000 + 600_000,
      idleMs: 10_000,
    })
    expect(compiled.models[0]).toMatchObject({
      role: 'champion',
      sha256: '',
      profileSha256: '',
      deadlineMs: 100,
    })
    expect(compiled.entities).toEqual({ card: { pattern: 'c\\d+' }, shop: {} })
  })

  test('is plain data: JSON and back is the same', () => {
    expect(JSON.parse(JSON.stringify(compiled))).toEqual(compiled)
  })

  test('reads a quantity of another stream where the scored event names that entity', () => {
    expect(compiled.features['shopChargebacks7d']).toEqual({
      kind: 'aggregate',
      quantity: {
        aggregate: 'count',
        stream: 'cards.chargebacks',
        of: null,
        by: 'shop',
        entity: 'shop',
        window: { kind: 'trailing', sizeMs: 7 * 86_400_000 },
        self: 'include',
      },
      at: 'shop',
      type: 'number',
      default: null,
      owner: 'risk@example.org',
      version: 1,
      description: '',
    })
    expect(compiled.features['shopAmount24h']).toMatchObject({
      quantity: { self: 'exclude' },
      at: 'shop',
      default: 0,
    })
  })

  test('gives a feature the owner of its set, and says what was said about it', () => {
    const set = featureSet({
      of: payment,
      owner: 'shops@example.org',
      features: {
        country: feature(last(payment.country).by(payment.shop).over('7d'), { version: 2, default: 'none' }),
        amount: feature(payment.amount, { owner: 'me@example.org', description: 'in euros' }),
      },
    })
    const { features } = compile(
      topology('cards', { ...options, features: set, model: { ...model, inputs: ['amount'] } }),
    )
    expect(features['country']).toMatchObject({
      type: 'string',
      version: 2,
      default: 'none',
      owner: 'shops@example.org',
    })
    expect(features['amount']).toMatchObject({ owner: 'me@example.org', description: 'in euros', version: 1 })
  })

  test('takes one feature from two sets when it means the same in both', () => {
    const set = () =>
      featureSet({ of: payment, owner: 'a@example.org', features: { amount: payment.amount } })
    expect(refusal({ features: [set(), set(), features] })).toBe(
      'feature amount: is declared by two sets, and not alike',
    )
    expect(refusal({ features: [set(), set()], model: { ...model, inputs: ['amount'] } })).toBe('accepted')
  })
})

describe('a definition is refused in one line that names', () => {
  const amount = payment.amount[tree]
  const median = { [tree]: { ...amount, expression: { op: 'median', of: amount.expression } } }
  const lost = { [tree]: { ...amount, expression: { op: 'field', name: 'lost' } } }

  test.each<[string, object, string]>([
    ['an unknown operator', withFeature(median), 'feature extra: no operator is called "median"'],
    ['an unknown field', withFeature(lost), 'feature extra: cards.payments has no field "lost"'],
    [
      'an unknown zone',
      withFeature(calendar.hour(payment.paid, 'Mars/Olympus')),
      'feature extra: no time zone is called "Mars/Olympus"',
    ],
    [
      'a bad window',
      withFeature(
        count(payment)
          .by(payment.card)
          .over('5 minutes' as never),
      ),
      'feature extra, window: "5 minutes" is no duration such as 30m, 24h or 7d',
    ],
    [
      'a window of nothing',
      withFeature(count(payment).by(payment.card).over('0m')),
      'feature extra, window: "0m" is no duration such as 30m, 24h or 7d',
    ],
    [
      'a mean over a text',
      withFeature(
        mean(payment.country as never)
          .by(payment.card)
          .over('1h'),
      ),
      'feature extra: mean takes a number, not a string',
    ],
    [
      'an instant as a feature',
      withFeature(payment.paid),
      'feature extra: is an instant: take its hour or weekday, or the time since another',
    ],
    [
      'a quantity without a window',
      withFeature(count(payment).by(payment.card)),
      'feature extra: is neither a quantity over a window nor a calculation',
    ],
    [
      'a feature that is nothing',
      withFeature(undefined),
      'feature extra: is neither a quantity over a window nor a calculation',
    ],
    [
      'a feature of another stream',
      withFeature(chargeback.amount),
      'feature extra: belongs to events of cards.chargebacks, but cards.payments is scored',
    ],
    [
      'a default of another type',
      withFeature(
        count(payment)
          .by(payment.card)
          .over('1h')
          .default('x' as never),
      ),
      'feature extra: default "x" is no number',
    ],
    [
      'another entity',
      withFeature(
        count(chargeback)
          .by(chargeback.shop)
          .over('1h')
          .at(payment.card as never),
      ),
      'feature extra: at card is no shop',
    ],
    [
      'a feature that cannot be called so',
      { features: { ...features, 'a b': payment.amount } },
      'feature: "a b" is no name: letters, digits and _ only, a letter first',
    ],
    ['no features', { features: {} }, 'topology cards: has no features'],
    ['a version that is none', { version: 0 }, 'topology cards, version: 0 is not a whole number from 1 on'],
    ['no owner', { owner: ' ' }, 'topology cards: has no owner'],
    [
      'an unknown alignment',
      { alignment: 'soon' },
      'topology cards, alignment: "soon" is no duration such as 30m, 24h or 7d',
    ],
    ['a late event’s fate', { late: 'ignore' }, 'topology cards, late: "ignore" is neither score nor drop'],
    ['a logged feature', { log: ['lost'] }, 'topology cards, log: no feature is called "lost"'],
    [
      'a model input',
      withModel({ inputs: ['toString'] }),
      'model fraud, inputs: no feature is called "toString"',
    ],
    ['an input twice', withModel({ inputs: ['amount', 'amount'] }), 'model fraud: names an input twice'],
    [
      'a text as an input',
      { ...withFeature(payment.country), ...withModel({ inputs: ['extra'] }) },
      'model fraud, inputs: "extra" is text, and a model takes numbers',
    ],
    [
      'a fallback that can fail',
      withModel({ fallback: [{ rule: 'amount' }] }),
      'model fraud: its last fallback has to be a constant, which cannot fail',
    ],
    ['a threshold', withModel({ threshold: 2 }), 'model fraud, threshold: 2 is not between 0 and 1'],
    [
      'a file outside',
      withModel({ file: '../fraud.onnx' }),
      'model fraud, file: "../fraud.onnx" is no path inside the topology\'s folder',
    ],
    ['a sha256', withModel({ sha256: 'abc' }), 'model fraud, sha256: is no sha256: 64 digits 0-9 and a-f'],
    [
      'a deadline',
      withModel({ deadline: '1 s' }),
      'model fraud, deadline: "1 s" is no duration such as 30m, 24h or 7d',
    ],
    [
      'two champions',
      { model: undefined, models: [model, { ...model, name: 'second' }] },
      'models: exactly one is the champion, not 2',
    ],
    [
      'a model twice',
      { model: undefined, models: [model, { ...model, role: 'shadow' }] },
      'model fraud: is declared twice',
    ],
    [
      'a horizon',
      withLabel({ horizon: 'later' }),
      'label fraud, horizon: "later" is no duration such as 30m, 24h or 7d',
    ],
    [
      'a label without a join',
      withLabel({ joins: {} }),
      'label fraud: joins 0 fields, where exactly one holds the id of the scored event',
    ],
    [
      'a label’s join on a missing field',
      withLabel({ joins: { lost: payment.payment } }),
      'label fraud: cards.chargebacks has no field "lost"',
    ],
    [
      'a join to something else than the id',
      withLabel({ joins: { payment: payment.card } }),
      'label fraud: payment has to join payment, the id of cards.payments',
    ],
    [
      'a label that is a number',
      withLabel({ value: chargeback.amount }),
      'label fraud: auc needs a label that is true or false, not a number',
    ],
    [
      'a segment without bounds',
      { segments: { country: payment.country } },
      'segment country: has no end of values: use oneOf or bins',
    ],
    [
      'a segment of another stream',
      { segments: { id: chargeback.chargeback } },
      'segment id: is of cards.chargebacks, but cards.payments is scored',
    ],
    [
      'a critical feature',
      withMonitors({ critical: ['lost'] }),
      'monitors, critical: no feature is called "lost"',
    ],
    ['an unknown metric', withMonitors({ metric: 'f2' }), 'monitors, metric: no metric is called "f2"'],
    [
      'an unknown playbook',
      withMonitors({ playbooks: { harm: 'panic' } }),
      'monitors, playbooks: no playbook is called "panic"',
    ],
    [
      'an unknown cause',
      withMonitors({ playbooks: { harm: 'retrain', toString: 'none' } }),
      'monitors, playbooks: no cause is called "toString"',
    ],
    [
      'a window of broken panes',
      withMonitors({ pane: '5d' }),
      'monitors, window: 7d is no whole number of panes of 5d',
    ],
    [
      'partitions',
      withPayment({ partitions: 1.5 }),
      'event cards.payments, partitions: 1.5 is not a whole number from 1 on',
    ],
    [
      'an id that is no field',
      withPayment({ id: 'toString' }),
      'event cards.payments, id: "toString" is no field that is a string or an integer',
    ],
    [
      'a time that is no timestamp',
      withPayment({ time: 'amount' }),
      'event cards.payments, time: "amount" is no field that is a timestamp',
    ],
    [
      'an id that may be null',
      withPayment({}, { payment: string({ nullable: true }) }),
      'event cards.payments, field payment: cannot be nullable',
    ],
    [
      'an empty range',
      withPayment({}, { amount: number({ range: [3, 3] }) }),
      'event cards.payments, field amount: range 3 to 3 is empty',
    ],
    ['a pattern', withPayment({}, { country: string({ pattern: '(' }) }), '"(" is not a regular expression'],
    [
      'a field',
      withPayment({}, { ['__proto__']: integer() }),
      'event cards.payments, field __proto__: cannot be called so',
    ],
    [
      'a stream that is declared twice',
      { ...withPayment({ lateness: '5m' }), features },
      'event cards.payments: is declared twice, and not alike',
    ],
  ])('%s', (_, change, message) => {
    expect(refusal(change)).toBe(message)
  })

  test('a topic of the user that Tidemark would write to', () => {
    const clash = event('cards.features', {
      id: 'id',
      time: 'at',
      lateness: '1m',
      fields: { id: string(), at: timestamp(), card },
    })
    const change = withFeature(count(clash).by(clash.card).over('1h').at(payment.card))
    expect(refusal(change)).toBe('topology cards: topic cards.features would serve two purposes')
  })

  test('what is no topology', () => {
    for (const value of [null, undefined, 1, {}, []])
      expect(() => compile(value as never)).toThrow('not a topology: topology(name, {…}) makes one')
  })
})
