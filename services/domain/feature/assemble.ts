import { createDraft, type Draft, stateKey } from '../draft.ts'
import type { Value } from '../event/contract.ts'
import type { EventTime, Operator } from '../operator.ts'
import type { Feature } from './definition.ts'
import type { FeatureStatus, PartRecord } from './records.ts'
import { type Reading, readingOf, sortedFeatures, statusesOf, valuesOf } from './status.ts'

export interface AssembleDefinition {
  /** What every vector carries of the topology that it was made under. */
  readonly topology: string
  readonly topologyHash: string
  readonly featureSet: string
  readonly scored: string
  readonly features: Readonly<Record<string, Feature>>
  /** How long to wait for parts, in event time: more than the stages before this one can be apart. */
  readonly waitMs: number
  /** For how long of event time a finished id is remembered: the scored stream's own memory of ids. */
  readonly rememberMs: number
}

/**
 * Joins the parts of an event, in whatever order they come, into one vector to `features` (key: the event id) with
 * every feature in sorted order. Parts are written exactly once, so all of them come; should one not have come when
 * the watermark has passed by `waitMs`, or at the end of the input, the vector goes out without it, its features
 * `missing`, rather than never. Finished ids are remembered: `ingest` knows a duplicate only within one partition,
 * and an event that was produced again under another key comes through another.
 */
export function assemble(definition: AssembleDefinition): Operator<PartRecord> {
  const features = sortedFeatures(definition.features)

  function settle(draft: Draft, pending: Pending, watermark: EventTime): void {
    const { topology, topologyHash, featureSet, scored } = definition
    const { id, time, late, event } = pending
    const readings = readingsOf(features, pending)
    draft.put(pendingKey(id), undefined)
    draft.put(doneKey(id), true)
    draft.wake(Math.max(time, watermark) + definition.rememberMs, doneKey(id))
    draft.emit({
      to: 'features',
      key: id,
      value: {
        ...{ id, time, stream: scored, late, topology, topologyHash, featureSet },
        ...{ values: valuesOf(readings), statuses: statusesOf(readings), event },
      },
    })
  }

  return {
    turn(state, record, place) {
      const draft = createDraft(state)
      if (draft.get(doneKey(record.id)) !== undefined) return draft.turn('duplicate')
      const key = pendingKey(record.id)
      const known = draft.get(key) as Pending | undefined
      if (known?.came.some(({ part }) => part === nameOf(record))) return draft.turn('duplicate')
      const until = known?.until ?? Math.max(record.time, place.watermark) + definition.waitMs
      const pending = withPart(known, record, until)
      if (isComplete(pending)) settle(draft, pending, place.watermark)
      else draft.put(key, pending)
      if (known === undefined && !isComplete(pending)) draft.wake(until, key)
      return draft.turn('applied')
    },
    wake(state, wake) {
      const draft = createDraft(state)
      const waiting = draft.get(wake.key) as Pending | true | undefined
      if (waiting === true) draft.put(wake.key, undefined)
      else if (waiting !== undefined && waiting.until <= wake.at) settle(draft, waiting, wake.at)
      return draft.turn('applied')
    },
  }
}

type Part = {
  readonly part: string
  readonly values: { readonly [feature: string]: Value }
  readonly statuses: { readonly [feature: string]: FeatureStatus }
}

/** What has come of an event so far. */
type Pending = {
  readonly id: string
  readonly time: EventTime
  readonly late: boolean
  /** All parts that will come; null until the own part, which says so, has come. */
  readonly expected: readonly string[] | null
  readonly event: { readonly [field: string]: Value }
  readonly came: readonly Part[]
  readonly until: EventTime
}

/** A field may be called `own`, so the own part goes under a name that no field has. */
const ownPart = ''

function nameOf({ part, parts }: PartRecord): string {
  return parts.length > 0 ? ownPart : part
}

function withPart(known: Pending | undefined, record: PartRecord, until: EventTime): Pending {
  const { id, time, late, values, statuses } = record
  const own = record.parts.length > 0
  return {
    ...{ id, time, late, until },
    expected: own ? record.parts.map((name, at) => (at === 0 ? ownPart : name)) : (known?.expected ?? null),
    event: own ? record.event : (known?.event ?? {}),
    came: [...(known?.came ?? []), { part: nameOf(record), values, statuses }],
  }
}

function isComplete({ expected, came }: Pending): boolean {
  return expected?.every((name) => came.some(({ part }) => part === name)) ?? false
}

function readingsOf(features: readonly [string, Feature][], { late, came }: Pending): Reading[] {
  return features.map(([name, feature]) => {
    const part = came.find(({ values }) => Object.hasOwn(values, name))
    if (part === undefined) return readingOf(name, feature, null, { stale: late, absent: true })
    return { name, value: part.values[name] ?? null, status: part.statuses[name] ?? 'missing' }
  })
}

function doneKey(id: string): string {
  return stateKey('done', id)
}

function pendingKey(id: string): string {
  return stateKey('pending', id)
}
