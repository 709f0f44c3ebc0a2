import type { Stream, Value } from '../../services/domain/event/contract.ts'
import type { Feature, Quantity } from '../../services/domain/feature/definition.ts'
import { canonicalJson } from '../canonical.ts'
import { durationMs } from '../duration.ts'
import type { EventData } from '../events.ts'
import { type ExpressionData, tree } from '../expressions.ts'
import { type DescribedOptions, describedData, type FeatureValue, featureSetData } from '../feature-sets.ts'
import { type AggregateData, featureData } from '../quantities.ts'
import type { TopologyData } from '../topology.ts'
import { checkedExpression, typeOfExpression } from './expressions.ts'
import { demand, demandName, demandOwner, demandWhole, sortedRecord } from './rules.ts'

type Streams = Readonly<Record<string, Stream>>

/** A feature as it was written, with what was said about it. */
interface Written {
  readonly name: string
  readonly owner: string
  readonly data: AggregateData | ExpressionData
  readonly options: DescribedOptions
}

/** Every event that a topology's features read, the scored one apart. */
export function eventsOfFeatures(topology: TopologyData): readonly EventData[] {
  return written(topology).map(({ data }) => ('quantity' in data ? data.quantity.event : data.event))
}

/** The features of all sets together, by name. One name may come from two sets if it means the same in both. */
export function compileFeatures(topology: TopologyData, streams: Streams): Readonly<Record<string, Feature>> {
  const features = new Map<string, Feature>()
  for (const one of written(topology)) {
    const feature = compileFeature(one, topology.scored.topic, streams)
    const known = features.get(one.name)
    demand(
      known === undefined || canonicalJson(known) === canonicalJson(feature),
      `feature ${one.name}`,
      'is declared by two sets, and not alike',
    )
    features.set(one.name, feature)
  }
  demand(features.size > 0, `topology ${topology.name}`, 'has no features')
  return sortedRecord(features)
}

function written(topology: TopologyData): readonly Written[] {
  return topology.features.flatMap((input) => {
    const set =
      featureSetData in input
        ? (input as { [featureSetData]: { owner: string; features: object } })[featureSetData]
        : null
    if (set !== null) demandOwner(set.owner, 'feature set')
    const owner = set?.owner ?? topology.owner
    return Object.entries(set?.features ?? input).map(([name, value]) => {
      demandName(name, 'feature')
      return { name, owner, ...unwrap(name, value) }
    })
  })
}

function unwrap(name: string, value: FeatureValue<string>): Pick<Written, 'data' | 'options'> {
  const found = typeof value === 'object' && value !== null ? value : ({} as FeatureValue<string>)
  if (describedData in found) return { data: found[describedData].of, options: found[describedData].options }
  if (featureData in found) return { data: found[featureData], options: {} }
  demand(tree in found, `feature ${name}`, 'is neither a quantity over a window nor a calculation')
  return { data: found[tree], options: {} }
}

function compileFeature({ name, owner, data, options }: Written, scored: string, streams: Streams): Feature {
  const what = `feature ${name}`
  const stream = streams[scored]!
  demand(data.stream === scored, what, `belongs to events of ${data.stream}, but ${scored} is scored`)
  const described = {
    owner: options.owner ?? owner,
    version: options.version ?? 1,
    description: options.description ?? '',
  }
  demandOwner(described.owner, what)
  demandWhole(described.version, `${what}, version`)
  if ('quantity' in data) {
    const quantity = compileQuantity(data, streams, what)
    const value = defaultOf(options.default ?? data.default, data.type, what)
    demand(
      stream.fields[data.at.field]?.entity === quantity.entity,
      what,
      `at ${data.at.field} is no ${quantity.entity}`,
    )
    return { kind: 'aggregate', quantity, at: data.at.field, type: data.type, default: value, ...described }
  }
  const type = typeOfExpression(data.expression, stream, what)
  demand(type !== 'timestamp', what, 'is an instant: take its hour or weekday, or the time since another')
  const value = defaultOf(options.default ?? null, type, what)
  return {
    kind: 'expression',
    of: checkedExpression(data.expression, what),
    type,
    default: value,
    ...described,
  }
}

const quantityTypes = {
  sum: 'number',
  mean: 'number',
  min: 'number',
  max: 'number',
  share: 'boolean',
} as const

function compileQuantity({ quantity, type }: AggregateData, streams: Streams, what: string): Quantity {
  const { aggregate, event, of, by, entity, window, self } = quantity
  const stream = streams[event.topic]!
  demand(stream.fields[by]?.entity === entity, what, `by ${by} is no ${entity}`)
  demand(self === 'include' || self === 'exclude', what, `self is "${self}", neither include nor exclude`)
  const taken = of === null ? null : typeOfExpression(of, stream, what)
  if (aggregate === 'last') demand(taken === type, what, `last of a ${taken} is no ${type}`)
  else if (aggregate === 'count') demand(taken === null, what, 'count takes events, not values')
  else {
    demand(Object.hasOwn(quantityTypes, aggregate), what, `no operator is called "${aggregate}"`)
    const needed = quantityTypes[aggregate]
    demand(taken === needed, what, `${aggregate} takes a ${needed}, not a ${taken}`)
  }
  return {
    aggregate,
    stream: event.topic,
    of: of === null ? null : checkedExpression(of, what),
    by,
    entity,
    window: { kind: 'trailing', sizeMs: durationMs(window, `${what}, window`) },
    self,
  }
}

function defaultOf(value: Value, type: string, what: string): Value {
  const fits =
    value === null || (typeof value === type && (typeof value !== 'number' || Number.isFinite(value)))
  demand(fits, what, `default ${JSON.stringify(value)} is no ${type}`)
  return value
}
