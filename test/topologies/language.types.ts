/** Checked by `tsc` alone: each line under an expected error has to be refused by the types. */
import {
  bins,
  boolean,
  calendar,
  count,
  entity,
  event,
  featureSet,
  integer,
  last,
  max,
  mean,
  min,
  number,
  oneOf,
  share,
  string,
  sum,
  timestamp,
  topology,
} from 'tidemark'
import { chargeback, features, label, model, monitors, options, payment } from './cards.ts'

// What is right is accepted.
topology('right', options)
const { model: _, ...withoutModel } = options
topology('right', { ...withoutModel, models: [model, { ...model, name: 'second', role: 'shadow' }] })
const amounts = featureSet({ of: payment, owner: 'risk@example.org', features: { amount: payment.amount } })
const counts = featureSet({
  of: payment,
  owner: 'risk@example.org',
  features: { cardPayments1h: features.cardPayments1h, shopAmount24h: features.shopAmount24h },
})
topology('right', { ...options, features: [amounts, counts] })
topology('right', { ...options, features: [amounts, { ...features }] })
topology('right', {
  ...options,
  segments: { size: bins(payment.amount, [10, 100]), country: oneOf(payment.country, ['DE', 'FR'], 'other') },
  log: ['amount'],
})
min(payment.amount.dividedBy(2).log().plus(payment.amount)).by(payment.card).over('30m')
max(payment.amount).by(payment.card).over('30m').default(0)
share(payment.country.equals('DE')).by(payment.shop).over('1d')
last(payment.country).by(payment.card).over('7d').default('none')
calendar.hour(payment.paid, 'UTC').above(22)
payment.paid.since(payment.paid).above(1_000)

// @ts-expect-error a misspelt field
payment.amuont
// @ts-expect-error a misspelt id
event('x', { id: 'idd', time: 'at', lateness: '1m', fields: { id: string(), at: timestamp() } })
// @ts-expect-error an event time that is no timestamp
event('x', { id: 'id', time: 'id', lateness: '1m', fields: { id: string(), at: timestamp() } })
// @ts-expect-error an id that is a measurement
event('x', { id: 'size', time: 'at', lateness: '1m', fields: { size: number(), at: timestamp() } })
// @ts-expect-error a duration without a unit
event('x', { id: 'id', time: 'at', lateness: '30', fields: { id: string(), at: timestamp() } })
// @ts-expect-error a range of a text
string({ range: [0, 1] })
// @ts-expect-error an entity that is a number
entity('card', number())
// @ts-expect-error a mean over a string
mean(payment.country)
// @ts-expect-error a sum over an instant
sum(payment.paid)
// @ts-expect-error a share of a number
share(payment.amount)
// @ts-expect-error a limit for a text
payment.country.above(1)
// @ts-expect-error a text compared with a number
payment.country.equals(1)
// @ts-expect-error the hour of a number
calendar.hour(payment.amount, 'UTC')
// @ts-expect-error no zone
calendar.hour(payment.paid)
// @ts-expect-error bins of a text
bins(payment.country, [1])
// @ts-expect-error a quantity by a field that names no entity
count(payment).by(payment.country)
// @ts-expect-error a quantity by a field of another stream
count(payment).by(chargeback.shop)
// @ts-expect-error two streams in one calculation
payment.amount.plus(chargeback.amount)
// @ts-expect-error read at a field of another entity
count(chargeback).by(chargeback.shop).over('1h').at(payment.card)
// @ts-expect-error a default of another type
count(payment).by(payment.card).over('1h').default('none')
// @ts-expect-error a window that is no duration
count(payment).by(payment.card).over('an hour')
// @ts-expect-error a quantity without a window
topology('wrong', { ...options, features: { ...features, amount: count(payment).by(payment.card) } })
// @ts-expect-error a feature of another stream than the scored one
topology('wrong', { ...options, features: { ...features, other: chargeback.amount } })
const elsewhere = { ...features, other: count(chargeback).by(chargeback.shop).over('1h') }
// @ts-expect-error a quantity of another stream that is read nowhere
topology('wrong', { ...options, features: elsewhere })
const foreign = featureSet({ of: chargeback, owner: 'risk@example.org', features: {} })
// @ts-expect-error a feature set of another stream
topology('wrong', { ...options, features: [counts, amounts, foreign] })
// @ts-expect-error an instant as a feature
topology('wrong', { ...options, features: { ...features, paid: payment.paid } })
// @ts-expect-error a model input that is no declared feature
topology('wrong', { ...options, model: { ...model, inputs: ['amount', 'amuont'] } })
// @ts-expect-error the same with a feature set
topology('wrong', { ...options, features: amounts, model: { ...model, inputs: ['cardPayments1h'] } })
// @ts-expect-error a fallback on an unknown feature
topology('wrong', { ...options, model: { ...model, fallback: [{ rule: 'amuont' }] } })
// @ts-expect-error a model twice over
topology('wrong', { ...options, models: [model] })
// @ts-expect-error a segment of an unknown field
topology('wrong', { ...options, segments: { country: oneOf(payment.county, ['DE'], 'other') } })
// @ts-expect-error a segment of another stream
topology('wrong', { ...options, segments: { size: bins(chargeback.amount, [1]) } })
// @ts-expect-error a segment that is a number
topology('wrong', { ...options, segments: { size: payment.amount } })
// @ts-expect-error a label that joins on a missing field
topology('wrong', { ...options, label: { ...label, joins: { paymnt: payment.payment } } })
// @ts-expect-error a label that joins its own stream
topology('wrong', { ...options, label: { ...label, joins: { payment: chargeback.payment } } })
// @ts-expect-error a label's value from another stream
topology('wrong', { ...options, label: { ...label, value: payment.amount.above(1) } })
// @ts-expect-error a critical monitor that is no feature
topology('wrong', { ...options, monitors: { ...monitors, critical: ['amuont'] } })
// @ts-expect-error a playbook that nobody wrote
topology('wrong', { ...options, monitors: { ...monitors, playbooks: { harm: 'panic' } } })
// @ts-expect-error a logged value that is no feature
topology('wrong', { ...options, log: ['amuont'] })

const { owner: _owner, ...withoutOwner } = options
// @ts-expect-error a missing owner
topology('wrong', withoutOwner)
const { label: _label, ...withoutLabel } = options
// @ts-expect-error a missing label
topology('wrong', withoutLabel)
// @ts-expect-error a feature set without an owner
featureSet({ of: payment, features: { amount: payment.amount } })

// Fields may be called what objects and functions call their own.
const odd = event('odd', {
  id: 'id',
  time: 'time',
  lateness: '1m',
  fields: {
    id: string(),
    time: timestamp(),
    by: entity('thing', string()),
    name: string(),
    length: integer(),
    toString: number(),
    constructor: boolean(),
  },
})
count(odd).by(odd.by).over('1h')
mean(odd.length).by(odd.by).over('1h')
mean(odd.toString.plus(odd.length)).by(odd.by).over('1h')
share(odd.constructor).by(odd.by).over('1h')
last(odd.name).by(odd.by).over('1h')
calendar.hour(odd.time, 'UTC')
