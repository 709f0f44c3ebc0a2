import { count, entity, event, mean, number, string, timestamp } from 'tidemark'

/** A small product for the tests of the language: card payments, some of which are charged back. */
export const card = entity('card', string({ pattern: 'c\\d+' }))
export const shop = entity('shop', string())

export const payment = event('cards.payments', {
  id: 'payment',
  time: 'paid',
  lateness: '10m',
  fields: {
    payment: string(),
    paid: timestamp(),
    card,
    shop,
    amount: number({ range: [0, 10_000] }),
    country: string(),
  },
})

export const chargeback = event('cards.chargebacks', {
  id: 'chargeback',
  time: 'filed',
  lateness: '1h',
  fields: { chargeback: string(), filed: timestamp(), payment: string(), shop, amount: number() },
})

export const features = {
  cardPayments1h: count(payment).by(payment.card).over('1h'),
  shopAmount24h: mean(payment.amount).by(payment.shop).over('24h', { self: 'exclude' }).default(0),
  shopChargebacks7d: count(chargeback).by(chargeback.shop).over('7d').at(payment.shop),
  amount: payment.amount,
} as const

export const label = {
  name: 'fraud',
  from: chargeback,
  value: chargeback.amount.atLeast(0),
  joins: { payment: payment.payment },
  horizon: '30d',
} as const

export const model = {
  name: 'fraud',
  version: 1,
  file: 'model/fraud.onnx',
  profile: 'model/profile.json',
  inputs: ['cardPayments1h', 'shopAmount24h', 'amount'],
  threshold: 0.5,
  fallback: [{ constant: 0 }],
  deadline: '100ms',
} as const

export const monitors = {
  metric: 'auc',
  tolerance: { relativeDrop: 0.1, for: '7d' },
  critical: ['amount'],
  coverage: { atLeast: 0.9 },
  playbooks: { harm: 'retrain' },
} as const

/** Everything that a topology over payments needs; a test replaces what it is about. */
export const options = {
  version: 1,
  owner: 'risk@example.org',
  score: payment,
  features,
  label,
  model,
  monitors,
} as const
