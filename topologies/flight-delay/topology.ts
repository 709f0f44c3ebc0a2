import {
  bins,
  calendar,
  count,
  entity,
  event,
  integer,
  mean,
  number,
  oneOf,
  share,
  string,
  timestamp,
  topology,
} from 'tidemark'

const airport = entity('airport', string({ pattern: '[A-Z]{3}', semantics: 'IATA code of an airport' }))
const flight = string({ pattern: 'F\\d{5,9}', semantics: 'identifier of one flight on one day' })

const departure = event('flights.departures', {
  id: 'flight',
  time: 'departed',
  lateness: '30m',
  fields: {
    flight,
    departed: timestamp({ semantics: 'left the gate' }),
    origin: airport,
    destination: airport,
    distance: integer({ unit: 'mi', range: [20, 6000] }),
  },
})

const landing = event('flights.landings', {
  id: 'flight',
  time: 'landed',
  lateness: '30m',
  fields: {
    flight,
    landed: timestamp({ semantics: 'reached the gate' }),
    origin: airport,
    destination: airport,
    delay: number({ unit: 'min', range: [-120, 2000], breach: 'null', nullable: true }),
  },
})

/** A flight is late when it arrives more than a quarter of an hour after its scheduled time. */
const isLate = landing.delay.above(15)

// Each quantity is defined once, over the airport where flights land or leave …
const departures = count(departure).by(departure.origin)
const delay = mean(landing.delay).by(landing.destination)
const lateShare = share(isLate).by(landing.destination)

export default topology('flight-delay', {
  version: 1,
  owner: 'airline-operations@example.org',
  score: departure,

  features: {
    // … and read where the departing flight meets that airport: the one it leaves, and the one it goes to.
    originDepartures1h: departures.over('1h'),
    originDepartures24h: departures.over('24h'),
    originDepartures7d: departures.over('7d'),
    originDelay24h: delay.over('24h').at(departure.origin).default(0),
    originDelay7d: delay.over('7d').at(departure.origin).default(0),
    originLateShare24h: lateShare.over('24h').at(departure.origin).default(0.2),
    originLateShare7d: lateShare.over('7d').at(departure.origin).default(0.2),
    destinationDepartures24h: departures.over('24h').at(departure.destination),
    destinationDelay24h: delay.over('24h').at(departure.destination).default(0),
    destinationDelay7d: delay.over('7d').at(departure.destination).default(0),
    destinationLateShare24h: lateShare.over('24h').at(departure.destination).default(0.2),
    destinationLateShare7d: lateShare.over('7d').at(departure.destination).default(0.2),
    // The data's local times carry no zone; streams.ts takes them all as UTC, so this is the hour at the origin.
    hour: calendar.hour(departure.departed, 'UTC'),
    weekday: calendar.weekday(departure.departed, 'UTC'),
    distance: departure.distance,
  },

  label: {
    name: 'late',
    from: landing,
    value: isLate,
    joins: { flight: departure.flight },
    // The longest flight with its delay takes 10 h 53 min; 24 of 20,000 take longer than this and expire.
    horizon: '9h',
    absence: 'unknown',
  },

  model: {
    name: 'late-arrival',
    version: 1,
    file: 'model/late-arrival.onnx',
    profile: 'model/profile.json',
    inputs: [
      'originDepartures1h',
      'originDepartures24h',
      'originDepartures7d',
      'originDelay24h',
      'originDelay7d',
      'originLateShare24h',
      'originLateShare7d',
      'destinationDepartures24h',
      'destinationDelay24h',
      'destinationDelay7d',
      'destinationLateShare24h',
      'destinationLateShare7d',
      'hour',
      'weekday',
      'distance',
    ],
    threshold: 0.18,
    fallback: [{ rule: 'originLateShare7d' }, { constant: 0.2 }],
    deadline: '250ms',
  },

  segments: {
    hub: oneOf(departure.origin, ['ATL', 'DFW', 'LAX', 'ORD', 'PHX'], 'other'),
    haul: bins(departure.distance, [500, 1000, 2000]),
  },

  monitors: {
    pane: '1d',
    window: '7d',
    metric: 'auc',
    // A week of 1,500 flights gives the AUC to ±0.034; only a whole interval more than 5 % below training's pages.
    tolerance: { relativeDrop: 0.05, for: '7d' },
    // One at each end of a flight: the late share of a day is there when its delay is, and would page a second time.
    critical: ['originDelay24h', 'destinationDelay24h'],
    // Of training's share, 0.84: a quiet airport has no landing in a day. Whole weeks had 0.99 to 1.03 of that.
    coverage: { atLeast: 0.95 },
    // Rows of a seven-day window are not independent: ordinary weeks move it by 0.05 bits, and twice that is news.
    // A third of a week's flights is least: with fewer, two quiet weeks of one segment would look different.
    drift: { effect: 0.1, alpha: 0.01, minRows: 500 },
    playbooks: { harm: 'retrain', concept: 'retrain', skew: 'fix-pipeline', coverage: 'fix-pipeline' },
  },

  alignment: '3h',
})
