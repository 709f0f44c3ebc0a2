import { DefinitionError } from '../services/domain/definition-error.ts'
import type { Stream } from '../services/domain/event/contract.ts'
import type { Expression } from '../services/domain/feature/expression.ts'
import { hashFeatureSet } from './canonical.ts'
import { checkedExpression, textsOf, typeOfExpression } from './compile/expressions.ts'
import { compileFeatures, eventsOfFeatures } from './compile/features.ts'
import { compileModels, demandFeature } from './compile/models.ts'
import { compileMonitors } from './compile/monitors.ts'
import { demand, demandName, demandOwner, demandWhole, sortedRecord, sortedSet } from './compile/rules.ts'
import { compileEntities, compileStreams } from './compile/streams.ts'
import type { Label, Topology } from './compiled.ts'
import { durationMs } from './duration.ts'
import { fieldOf, tree } from './expressions.ts'
import { planOf } from './plan.ts'
import { type TopologyData, type TopologyDefinition, topologyData } from './topology.ts'

/** Whether a value is what `topology()` gives. */
export function isTopology(value: unknown): value is TopologyDefinition {
  return typeof value === 'object' && value !== null && topologyData in value
}

/**
 * Turns what the author wrote into plain data, and refuses what types cannot see. Pure: it reads no file, so the
 * sha256 of a model that does not declare it stays empty until the topology is loaded with its models.
 * @throws DefinitionError of one line that names the part at fault.
 */
export function compile(definition: TopologyDefinition): Topology {
  if (!isTopology(definition)) throw new DefinitionError('not a topology: topology(name, {…}) makes one')
  const data = definition[topologyData]
  const what = `topology ${data.name}`
  demand(
    /^[a-z][a-z0-9-]{0,99}$/.test(data.name),
    what,
    'is no name: lower case, digits and - only, a letter first',
  )
  demandWhole(data.version, `${what}, version`)
  demandOwner(data.owner, what)
  demand(
    data.late === 'score' || data.late === 'drop',
    `${what}, late`,
    `"${data.late}" is neither score nor drop`,
  )
  const horizonMs = durationMs(data.label.horizon, `label ${data.label.name}, horizon`)
  const streams = compileStreams([data.scored, data.label.from, ...eventsOfFeatures(data)], {
    topics: [data.scored.topic, data.label.from.topic],
    horizonMs,
  })
  const features = compileFeatures(data, streams)
  for (const name of data.log) demandFeature(name, features, `${what}, log`)
  const topology: Topology = {
    format: 1,
    name: data.name,
    version: data.version,
    owner: data.owner,
    alignmentMs: durationMs(data.alignment, `${what}, alignment`),
    late: data.late,
    scored: data.scored.topic,
    streams,
    entities: compileEntities(streams),
    features,
    featureSet: hashFeatureSet(features),
    label: compileLabel(data, streams, horizonMs),
    models: compileModels(data.models, features),
    segments: compileSegments(data, streams[data.scored.topic]!),
    log: sortedSet(data.log),
    monitors: compileMonitors(data.monitors, features),
  }
  demandDistinctTopics(topology)
  return topology
}

function compileLabel(
  { label, scored }: TopologyData,
  streams: Readonly<Record<string, Stream>>,
  horizonMs: number,
): Label {
  const what = `label ${label.name}`
  demandName(label.name, 'label')
  const { topic } = label.from
  const stream = streams[topic]!
  const value = label.value[tree]
  demand(value.stream === topic, what, `its value is of ${value.stream}, but it comes from ${topic}`)
  const type = typeOfExpression(value.expression, stream, what)
  demand(type === 'boolean', what, `auc needs a label that is true or false, not a ${type}`)
  const joins = Object.entries(label.joins)
  demand(
    joins.length === 1,
    what,
    `joins ${joins.length} fields, where exactly one holds the id of the scored event`,
  )
  const [id, column] = joins[0]!
  const holder = Object.hasOwn(stream.fields, id) ? stream.fields[id] : undefined
  demand(holder !== undefined, what, `${topic} has no field "${id}"`)
  const joined = column?.[fieldOf]
  demand(
    joined?.stream === scored.topic && joined.name === scored.id,
    what,
    `${id} has to join ${scored.id}, the id of ${scored.topic}`,
  )
  const idType = streams[scored.topic]!.fields[scored.id]!.type
  demand(holder.type === idType, what, `${id} is a ${holder.type}, and the id of ${scored.topic} a ${idType}`)
  const absence = label.absence ?? 'unknown'
  demand(
    absence === 'unknown' || absence === 'negative',
    what,
    `absence is "${absence}", neither unknown nor negative`,
  )
  return {
    name: label.name,
    stream: topic,
    value: checkedExpression(value.expression, what),
    id,
    horizonMs,
    absence,
  }
}

function compileSegments({ segments }: TopologyData, scored: Stream): Readonly<Record<string, Expression>> {
  const compiled = Object.entries(segments).map(([name, segment]): [string, Expression] => {
    const what = `segment ${name}`
    demandName(name, 'segment')
    const { stream, expression } = segment[tree]
    demand(stream === scored.topic, what, `is of ${stream}, but ${scored.topic} is scored`)
    const type = typeOfExpression(expression, scored, what)
    demand(type === 'string', what, `is a ${type}, not a text`)
    const checked = checkedExpression(expression, what)
    demand(textsOf(checked, scored) !== null, what, 'has no end of values: use oneOf or bins')
    return [name, checked]
  })
  return sortedRecord(compiled)
}

/** A user's topic must not be one that Tidemark writes. */
function demandDistinctTopics(topology: Topology): void {
  const seen = new Set<string>()
  for (const { name } of planOf(topology).topics) {
    demand(!seen.has(name), `topology ${topology.name}`, `topic ${name} would serve two purposes`)
    seen.add(name)
  }
}
