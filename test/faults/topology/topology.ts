import {
  bins,
  boolean,
  count,
  entity,
  event,
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

/**
 * What the fault suite runs: small, and alive by the wall clock, so that windows, labels, expiry and panes turn over
 * within a run. Each run copies it under a name of its own.
 */
const shop = entity('shop', string({ pattern: 'S\\d{3}', semantics: 'identifier of a shop' }))
const order = string({ pattern: 'O\\d{8}', semantics: 'identifier of an order' })

const placed = event('faults.orders', {
  id: 'order',
  time: 'placed',
  lateness: '2s',
  maxAhead: '10s',
  dedupe: '60s',
  idle: '1s',
  partitions: 2,
  fields: {
    order,
    placed: timestamp(),
    shop,
    amount: number({ unit: 'EUR', range: [1, 6000] }),
  },
})

const visit = event('faults.visits', {
  id: 'visit',
  time: 'entered',
  lateness: '2s',
  maxAhead: '10s',
  dedupe: '20s',
  idle: '1s',
  partitions: 2,
  fields: {
    visit: string({ pattern: 'V\\d{8}' }),
    entered: timestamp(),
    shop,
    party: integer({ range: [1, 7], nullable: true, breach: 'null' }),
    wait: number({ unit: 's', range: [0, 600] }),
    bought: boolean(),
  },
})

const refund = event('faults.refunds', {
  id: 'order',
  time: 'decided',
  lateness: '2s',
  maxAhead: '10s',
  dedupe: '60s',
  idle: '1s',
  partitions: 2,
  fields: { order, decided: timestamp(), refunded: boolean() },
})

const orders = count(placed).by(placed.shop)
const spent = sum(placed.amount).by(placed.shop)

export default topology('faults', {
  version: 1,
  owner: 'faults@example.org',
  score: placed,

  features: {
    orders5s: orders.over('5s'),
    ordersBefore60s: orders.over('60s', { self: 'exclude' }),
    spentBefore20s: spent.over('20s', { self: 'exclude' }),
    largest10s: max(placed.amount).by(placed.shop).over('10s'),
    smallestBefore60s: min(placed.amount).by(placed.shop).over('60s', { self: 'exclude' }),
    visits10s: count(visit).by(visit.shop).over('10s').at(placed.shop),
    wait30s: mean(visit.wait).by(visit.shop).over('30s').at(placed.shop).default(0),
    bought30s: share(visit.bought).by(visit.shop).over('30s').at(placed.shop).default(0.1),
    // Without a default: at a shop that nobody has visited the model has no answer, and its fallback has.
    lastParty20s: last(visit.party).by(visit.shop).over('20s').at(placed.shop),
    amount: placed.amount,
  },

  label: {
    name: 'refunded',
    from: refund,
    value: refund.refunded,
    joins: { order: placed.order },
    horizon: '20s',
    absence: 'unknown',
  },

  model: {
    name: 'refund',
    version: 1,
    file: 'model/refund.onnx',
    profile: 'model/profile.json',
    inputs: ['visits10s', 'lastParty20s', 'amount'],
    threshold: 0.2,
    fallback: [{ rule: 'bought30s' }, { constant: 0.1 }],
    deadline: '250ms',
  },

  segments: {
    shop: oneOf(placed.shop, ['S000', 'S001'], 'other'),
    size: bins(placed.amount, [500, 2000]),
  },

  monitors: {
    pane: '10s',
    window: '30s',
    metric: 'auc',
    tolerance: { relativeDrop: 0.2, for: '30s' },
    critical: ['visits10s'],
    coverage: { atLeast: 0.9 },
    drift: { effect: 0.1, alpha: 0.01, minRows: 100 },
    playbooks: { harm: 'retrain' },
  },

  log: ['visits10s', 'amount', 'orders5s'],
  alignment: '10s',
})
