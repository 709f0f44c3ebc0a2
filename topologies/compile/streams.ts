import { type Field, type Stream, wholePattern } from '../../services/domain/event/contract.ts'
import { canonicalJson } from '../canonical.ts'
import type { Entity } from '../compiled.ts'
import { durationMs, durationText } from '../duration.ts'
import type { EventData } from '../events.ts'
import { isTopicName } from '../topics.ts'
import { demand, demandWhole, sortedRecord, sortedSet } from './rules.ts'

/** The streams whose ids meet in the label join, and how long it waits. */
export interface Joined {
  readonly topics: readonly string[]
  readonly horizonMs: number
}

/** The contracts of all streams of a topology, by topic. */
export function compileStreams(
  events: readonly EventData[],
  joined: Joined,
): Readonly<Record<string, Stream>> {
  const streams = new Map<string, Stream>()
  for (const event of new Set(events)) {
    const stream = compileStream(event, joined)
    const known = streams.get(event.topic)
    demand(
      known === undefined || canonicalJson(known) === canonicalJson(stream),
      `event ${event.topic}`,
      'is declared twice, and not alike',
    )
    streams.set(event.topic, stream)
  }
  return sortedRecord(streams)
}

/** Every entity that a field of these streams names. */
export function compileEntities(streams: Readonly<Record<string, Stream>>): Readonly<Record<string, Entity>> {
  const entities = new Map<string, Entity>()
  for (const stream of Object.values(streams)) {
    for (const [field, { entity, pattern }] of Object.entries(stream.fields)) {
      if (entity === undefined) continue
      const found: Entity = pattern === undefined ? {} : { pattern }
      const known = entities.get(entity)
      demand(
        known === undefined || known.pattern === found.pattern,
        `event ${stream.topic}, field ${field}`,
        `entity ${entity} has another pattern elsewhere`,
      )
      entities.set(entity, found)
    }
  }
  return sortedRecord(entities)
}

function compileStream(event: EventData, joined: Joined): Stream {
  const { topic, id, time, partitions } = event
  const what = `event ${topic}`
  demand(isTopicName(topic), what, 'is no name of a Kafka topic')
  demandWhole(partitions, `${what}, partitions`)
  const fields = sortedRecord(
    Object.entries(event.fields).map(([name, field]) => [
      name,
      compileField(name, field, `${what}, field ${name}`),
    ]),
  )
  const typeOf = (name: string) => (Object.hasOwn(fields, name) ? fields[name]!.type : 'nothing')
  demand(
    ['string', 'integer'].includes(typeOf(id)),
    `${what}, id`,
    `"${id}" is no field that is a string or an integer`,
  )
  demand(typeOf(time) === 'timestamp', `${what}, time`, `"${time}" is no field that is a timestamp`)
  for (const vital of [id, time])
    demand(!fields[vital]!.nullable, `${what}, field ${vital}`, 'cannot be nullable')
  const latenessMs = durationMs(event.lateness, `${what}, lateness`)
  return {
    topic,
    partitions,
    id,
    time,
    latenessMs,
    maxAheadMs: durationMs(event.maxAhead, `${what}, maxAhead`),
    dedupeMs: compileDedupe(event, latenessMs, joined),
    idleMs: durationMs(event.idle, `${what}, idle`),
    fields,
  }
}

const usualDedupeMs = 86_400_000

/**
 * An event may be labelled for one horizon and corrected for another. A repetition from within that time has to be
 * known as one: a second prediction would wait for a label that has been used, and an old label undo its correction.
 */
function compileDedupe({ topic, dedupe, lateness }: EventData, latenessMs: number, joined: Joined): number {
  const { topics, horizonMs } = joined
  const meets = topics.includes(topic)
  const leastMs = latenessMs + (meets ? 2 * horizonMs : 0)
  if (dedupe === null) return Math.max(usualDedupeMs, leastMs)
  const what = `event ${topic}, dedupe`
  const dedupeMs = durationMs(dedupe, what)
  const span = meets ? `twice the label's horizon (${durationText(horizonMs)}) plus ` : ''
  demand(dedupeMs >= leastMs, what, `${dedupe} is shorter than ${span}the lateness ${lateness}`)
  return dedupeMs
}

function compileField(name: string, field: Field, what: string): Field {
  // The name is a property of decoded records and of maps in every record downstream.
  demand(/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && name !== '__proto__', what, 'cannot be called so')
  const { type, range, pattern, oneOf, entity } = field
  const isNumber = type === 'number' || type === 'integer'
  if (range !== undefined) {
    demand(isNumber, what, `a ${type} has no range`)
    demand(
      range.every(Number.isFinite) && range[0] < range[1],
      what,
      `range ${range[0]} to ${range[1]} is empty`,
    )
  }
  demand(
    (pattern === undefined && oneOf === undefined) || type === 'string',
    what,
    `a ${type} has no pattern and no oneOf`,
  )
  if (pattern !== undefined) wholePattern(pattern)
  demand(oneOf === undefined || oneOf.length > 0, what, 'oneOf lists no value')
  if (entity !== undefined) {
    demand(
      /^[a-z][a-z0-9-]*$/.test(entity),
      what,
      `entity "${entity}" is no name: lower case, digits and - only`,
    )
    // Their journal's name is taken, and so is the name of an event's own part.
    demand(entity !== 'outcome', what, 'an entity cannot be called "outcome"')
    demand(name !== 'own', what, 'a field that names an entity cannot be called "own"')
  }
  return oneOf === undefined ? { ...field } : { ...field, oneOf: sortedSet(oneOf) }
}
