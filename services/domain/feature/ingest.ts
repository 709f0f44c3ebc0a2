import { DefinitionError } from '../definition-error.ts'
import { type AcceptedEvent, acceptEvent, forgetSeen, type Gate, type SourceRecord } from '../event/accept.ts'
import type { Stream, Value } from '../event/contract.ts'
import type { Emission, Operator } from '../operator.ts'
import { slackMs } from '../window/retention.ts'
import { type Feature, type Role, rolesOf } from './definition.ts'
import { compileExpression } from './expression.ts'
import { type JournalRecord, partEmission, type Values } from './records.ts'
import { plain, type Reading, readingOf, sortedFeatures, statusesOf, valuesOf } from './status.ts'

export interface IngestDefinition {
  /** The stream that the task reads. */
  readonly topic: string
  readonly scored: string
  readonly late: 'score' | 'drop'
  readonly alignmentMs: number
  readonly streams: Readonly<Record<string, Stream>>
  readonly features: Readonly<Record<string, Feature>>
}

/**
 * Takes in one partition of a user's stream: what {@link acceptEvent} lets through goes to the journal of each
 * entity that it names, once per role (outputs `journal:<entity>`, key: the entity key). For an event of the scored
 * stream its own part goes to `parts` (key: the event id) and says which other parts will come: none for a role
 * whose key is null, and none when the event is so late that the windows of its time are gone (see `slackMs`).
 * A late event is journalled only where it reads. Bad records go to `deadLetters`, late ones that are not scored to
 * `late`.
 */
export function ingest(definition: IngestDefinition): Operator<SourceRecord> {
  const { topic, scored, features } = definition
  const stream = definition.streams[topic]
  if (stream === undefined) throw new DefinitionError(`no stream is called "${topic}"`)
  const gate: Gate = { stage: 'ingest', stream, late: topic === scored ? definition.late : 'drop' }
  const roles = rolesOf(features, scored).filter((role) => role.stream === topic)
  const ownPart = topic === scored ? compileOwnPart(features) : undefined
  for (const role of roles) checkRole(role, stream)
  const slack = slackMs(definition.streams, definition.alignmentMs)

  return {
    turn(state, record, place) {
      const acceptance = acceptEvent(gate, state, record, place)
      if (acceptance.kind === 'rejected') return acceptance
      const { kind: _, event, ...bookkeeping } = acceptance
      const values = sortedValues(event.values)
      const met = rolesMet(roles, event, values, event.time < place.watermark - slack)
      const emit = met.map((role) => journalEntry(role, event, values))
      if (ownPart !== undefined) {
        const reading = met.filter((role) => role.reads).map((role) => role.field)
        emit.push(ownPart(event, values, reading))
      }
      return { verdict: 'applied', emit, ...bookkeeping }
    },
    wake: (_, wake) => forgetSeen(wake) ?? { verdict: 'applied' },
  }
}

function checkRole({ field, entity }: Role, stream: Stream): void {
  const named = Object.hasOwn(stream.fields, field) ? stream.fields[field]?.entity : undefined
  if (named !== entity) {
    throw new DefinitionError(
      `${stream.topic}.${field} must name the entity ${entity}; it names ${named ?? 'none'}`,
    )
  }
}

/** The roles in which an event goes to a journal: its key is known, and it changes a window or can read one. */
function rolesMet(
  roles: readonly Role[],
  event: AcceptedEvent,
  values: Values,
  tooLate: boolean,
): readonly Role[] {
  const met = roles.filter((role) => values[role.field] !== null)
  if (!event.late) return met
  return tooLate ? [] : met.filter((role) => role.reads)
}

function journalEntry(role: Role, event: AcceptedEvent, values: Values): Emission {
  const key = String(values[role.field])
  const { id, time, late } = event
  const entry: JournalRecord = { stream: role.stream, field: role.field, key, id, time, late, values }
  return { to: `journal:${role.entity}`, key, value: { kind: 'event', ...entry } }
}

type OwnPart = (event: AcceptedEvent, values: Values, reading: readonly string[]) => Emission

/** The features of the event's own fields, and those whose role is not met: nobody else can say that they are missing. */
function compileOwnPart(features: IngestDefinition['features']): OwnPart {
  const readers = sortedFeatures(features).map(([name, feature]) => {
    if (feature.kind === 'expression') {
      const evaluate = compileExpression(feature.of)
      return {
        at: undefined,
        read: (values: Values, stale: boolean) => readingOf(name, feature, evaluate(values), { stale }),
      }
    }
    const read = (_: Values, stale: boolean): Reading =>
      readingOf(name, feature, null, { stale, absent: true })
    return { at: feature.at, read }
  })
  return (event, values, reading) => {
    const own = readers.filter(({ at }) => at === undefined || !reading.includes(at))
    const readings = own.map(({ read }) => read(values, event.late))
    return partEmission({
      id: event.id,
      part: 'own',
      parts: ['own', ...reading],
      time: event.time,
      late: event.late,
      values: valuesOf(readings),
      statuses: statusesOf(readings),
      event: values,
    })
  }
}

function sortedValues(values: Readonly<Record<string, Value>>): Values {
  const names = Object.keys(values).sort()
  return Object.fromEntries(names.map((name) => [name, plain(values[name] ?? null)]))
}
