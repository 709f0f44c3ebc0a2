import type { PartRecord } from '../../../services/domain/feature/records.ts'
import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import type { JournalLine } from '../../oracle/features.ts'
import { windowReader } from '../../oracle/windowed-features.ts'
import { createAlarms } from './alarms.ts'
import type { Fields } from './avro.ts'
import type { AuditContext } from './context.ts'
import type { Expected } from './matcher.ts'
import { readingOf } from './reading.ts'
import { slackOf } from './slack.ts'
import { endOfTime } from './task-clock.ts'
import type { Model } from './task-replay.ts'

/** The part that each scored event gets from one of its entities, by the windows of its own journal. */
export function entityModel({ topology }: AuditContext, stage: Stage): Model {
  const { features } = topology
  const read = windowReader(topology, stage.entity!)
  const loose = new Set(
    Object.entries(features).flatMap(([name, feature]) => {
      const isSum = feature.kind === 'aggregate' && ['sum', 'mean'].includes(feature.quantity.aggregate)
      return isSum ? [name] : []
    }),
  )
  const { topic, partitions } = stage.outputs['parts']!
  return {
    turn({ fields, watermark }) {
      const line = fields as unknown as JournalLine
      const { id, field: part, time, late } = line
      const readings = read({ ...line, taskWatermark: watermark })
      if (readings.length === 0) return []
      const values: Record<string, unknown> = {}
      const statuses: Record<string, string> = {}
      for (const [name, { computed, isWarming, isGone }] of readings) {
        const reading = readingOf(computed, features[name]!.default, { isStale: late || isGone, isWarming })
        values[name] = reading.value
        statuses[name] = reading.status
      }
      const value = { kind: 'part', id, part, parts: [], time, late, values, statuses, event: {}, watermark }
      return [{ topic, key: id, by: { partitions }, value, loose, what: `the ${part} part of ${id}` }]
    },
  }
}

/** What has come of one event. */
interface Gathered {
  readonly parts: PartRecord[]
  readonly until: number
}

/** One vector of every event: the union of its parts as they stand in the topic, once the last of them is there. */
export function assembleModel({ topology, hash }: AuditContext, stage: Stage, task: TaskSpec): Model {
  const { name, featureSet, scored, features, streams } = topology
  const waitMs = 2 * slackOf(topology)
  const rememberMs = streams[scored]!.dedupeMs
  const names = Object.keys(features).sort()
  const { topic } = stage.outputs['features']!
  const gathered = new Map<string, Gathered>()
  // Until when of event time a finished event is remembered.
  const done = new Map<string, number>()
  const alarms = createAlarms()

  function vector(id: string, parts: readonly PartRecord[], watermark: number, time?: number): Expected {
    const own = parts.find(isOwn)
    const last = parts.at(-1)!
    const readings = names.map((feature) => {
      const part = parts.find(({ values }) => Object.hasOwn(values, feature))
      if (part !== undefined) return { value: part.values[feature], status: part.statuses[feature] }
      return readingOf(null, features[feature]!.default, { isStale: last.late, isAbsent: true })
    })
    const values = Object.fromEntries(names.map((feature, at) => [feature, readings[at]!.value]))
    const statuses = Object.fromEntries(names.map((feature, at) => [feature, readings[at]!.status]))
    const head = { id, time: last.time, stream: scored, late: last.late, topology: name, topologyHash: hash }
    const value: Fields = { ...head, featureSet, values, statuses, event: own?.event ?? {}, watermark }
    const expected = { topic, key: id, by: { partition: task.partition }, value, what: `the vector of ${id}` }
    return time === undefined ? expected : { ...expected, time }
  }

  function due(watermark: number): Expected[] {
    const vectors: Expected[] = []
    for (let alarm = alarms.next(watermark); alarm !== undefined; alarm = alarms.next(watermark)) {
      const { at, name: id } = alarm
      const known = gathered.get(id)
      if (known === undefined || known.until !== at) continue
      gathered.delete(id)
      done.set(id, at + rememberMs)
      vectors.push(vector(id, known.parts, at, at))
    }
    return vectors
  }

  return {
    due,
    turn({ fields, watermark }) {
      const part = fields as unknown as PartRecord
      const { id, time } = part
      if ((done.get(id) ?? Number.NEGATIVE_INFINITY) > watermark) return []
      const until = Math.max(time, watermark) + waitMs
      const known = gathered.get(id) ?? { parts: [], until }
      if (known.parts.some((other) => nameOf(other) === nameOf(part))) return []
      known.parts.push(part)
      const expected = known.parts.find(isOwn)?.parts
      if (expected?.length === known.parts.length) {
        gathered.delete(id)
        done.set(id, Math.max(time, watermark) + rememberMs)
        return [vector(id, known.parts, watermark)]
      }
      if (known.parts.length === 1) alarms.set(until, id)
      gathered.set(id, known)
      return []
    },
    finish: (ended) => (ended ? due(endOfTime) : []),
  }
}

/** Only the own part says which parts there are. */
function isOwn({ parts }: PartRecord): boolean {
  return parts.length > 0
}

/** A field may be called `own`. */
function nameOf(part: PartRecord): string {
  return isOwn(part) ? '' : part.part
}
