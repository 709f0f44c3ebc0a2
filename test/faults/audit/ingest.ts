import type { Feature } from '../../../services/domain/feature/definition.ts'
import { compileExpression } from '../../../services/domain/feature/expression.ts'
import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import type { Fields } from './avro.ts'
import type { AuditContext } from './context.ts'
import { createGate, type Event, type Fate, type Gate } from './gate.ts'
import type { Expected } from './matcher.ts'
import { readingOf } from './reading.ts'
import { slackOf } from './slack.ts'
import type { Model, Step } from './task-replay.ts'

type Accepted = (
  event: Event,
  watermarks: { readonly before: number; readonly after: number },
) => readonly Expected[]

/** A task that reads a user's topic: what becomes of every record, and what every accepted one must have caused. */
function gateModel(
  context: AuditContext,
  stage: Stage,
  task: TaskSpec,
  gate: Gate,
  accepted: Accepted,
): Model {
  const fates: Record<Fate['kind'], number> = { accepted: 0, late: 0, duplicate: 0, dead: 0 }
  const { checkpoints, findings } = context
  return {
    turn(step) {
      const before = gate.watermark
      const fate = gate.judge(step.record)
      fates[fate.kind] += 1
      if (fate.kind === 'duplicate') return []
      if (fate.kind === 'dead') return [deadLetterOf(stage, task, step, fate.reason, before)]
      if (fate.kind === 'late') return [lateOf(stage, task, step, fate, { before, after: gate.watermark })]
      return accepted(fate, { before, after: gate.watermark })
    },
    close({ where }) {
      const counts = checkpoints.get(task.writer)?.last?.counts
      if (counts === undefined) return
      const { applied, late, duplicate, deadLettered } = counts
      const found = { accepted: applied, late, duplicate, dead: deadLettered }
      for (const kind of Object.keys(fates) as Fate['kind'][]) {
        if (found[kind] === fates[kind]) continue
        findings.add(
          'wrongValues',
          () => `${where}: its books have ${found[kind]} ${kind}, there are ${fates[kind]}`,
        )
      }
    },
  }
}

export function ingestModel(context: AuditContext, stage: Stage, task: TaskSpec): Model {
  const { topology, decoder, ledger } = context
  const stream = topology.streams[task.topic]!
  const isScored = task.topic === topology.scored
  const dropsLate = !isScored || topology.late === 'drop'
  const gate = createGate({ stream, dropsLate, identify: ({ id }) => id }, decoder, ledger)
  const roles = context.plan.roles.filter((role) => role.stream === task.topic)
  const slack = slackOf(topology)
  const ownPart = compileOwnPart(topology.features)
  const parts = stage.outputs['parts']!

  return gateModel(context, stage, task, gate, (event, { before, after }) => {
    const { id, time, isLate, values } = event
    const met = roles.filter(({ field, reads }) => {
      if (values[field] === null) return false
      return !isLate || (reads && time >= before - slack)
    })
    const expected = met.map((role): Expected => {
      const { topic, partitions } = stage.outputs[`${role.entity}-journal`]!
      const key = String(values[role.field])
      const entry = {
        kind: 'event',
        stream: role.stream,
        field: role.field,
        key,
        id,
        time,
        late: isLate,
        values,
      }
      return {
        topic,
        key,
        by: { partitions },
        value: { ...entry, watermark: after },
        what: `${role.field} of ${id}`,
      }
    })
    if (!isScored) return expected
    const reading = met.filter(({ reads }) => reads).map(({ field }) => field)
    const value = { ...ownPart(event, reading), watermark: after }
    const { topic, partitions } = parts
    return [...expected, { topic, key: id, by: { partitions }, value, what: `the own part of ${id}` }]
  })
}

export function labelModel(context: AuditContext, stage: Stage, task: TaskSpec): Model {
  const { topology, decoder, ledger } = context
  const { label } = topology
  const stream = topology.streams[label.stream]!
  const labelOf = compileExpression(label.value)
  const idOf = ({ values }: Event) => values[label.id] ?? null
  const gate = createGate(
    {
      stream,
      dropsLate: false,
      identify: (event) => JSON.stringify([event.id, event.time, labelOf(event.values)]),
      refuse: (event) => (idOf(event) === null ? 'no-id' : undefined),
    },
    decoder,
    ledger,
  )
  const { topic, partitions } = stage.outputs['journal']!
  return gateModel(context, stage, task, gate, (event, { after }) => {
    const value = labelOf(event.values)
    if (value === null) return []
    const key = String(idOf(event))
    const nothing = { predictionId: '', model: '', modelVersion: 0, score: 0, decision: false, scoreCell: 0 }
    const entry = { kind: 'label', id: key, time: event.time, ...nothing, segments: {}, label: value }
    const stamped = { ...entry, source: stream.topic, watermark: after }
    return [{ topic, key, by: { partitions }, value: stamped, what: `the label of ${key}` }]
  })
}

function deadLetterOf(
  stage: Stage,
  task: TaskSpec,
  { record }: Step,
  reason: string | undefined,
  watermark: number,
): Expected {
  const { topic } = stage.outputs['deadLetters']!
  const { key, value, offset, timestamp } = record
  const whole = { key, value, truncated: false }
  const coordinates = { topic: task.topic, partition: task.partition, offset, timestamp }
  const letter: Fields = {
    ...coordinates,
    stage: stage.name,
    watermark,
    ...(reason !== undefined && { reason }),
  }
  return {
    ...{ topic, key: undefined, by: { partition: 0 }, what: `the dead letter of ${task.topic} at ${offset}` },
    value: { ...letter, ...whole },
    // What no topic would take is cut short; its beginning is checked then.
    given: (actual) =>
      actual['truncated'] === true ? { ...letter, ...cutShort(record, actual) } : { ...letter, ...whole },
  }
}

function cutShort({ key, value }: Step['record'], actual: Fields): Fields {
  const begin = (whole: Buffer | null, part: unknown) =>
    whole === null || !(part instanceof Uint8Array) ? whole : whole.subarray(0, Math.max(1, part.length))
  return { key: begin(key, actual['key']), value: begin(value, actual['value']) }
}

function lateOf(
  stage: Stage,
  task: TaskSpec,
  { record }: Step,
  { id, time }: Event,
  { before, after }: { readonly before: number; readonly after: number },
): Expected {
  const { topic } = stage.outputs['late']!
  const { offset, timestamp, value } = record
  const coordinates = { topic: task.topic, partition: task.partition, offset, timestamp }
  const times = { latenessMs: before - time, watermarkAt: before, watermark: after }
  const late = { ...coordinates, id, time, ...times, stage: stage.name, raw: value ?? Buffer.alloc(0) }
  return { topic, key: undefined, by: { partition: 0 }, value: late, what: `the late record ${id}` }
}

/** The features of an event's own fields, and those whose role it does not play: they are missing, and said so here. */
function compileOwnPart(features: Readonly<Record<string, Feature>>) {
  const names = Object.keys(features).sort()
  const evaluators = new Map(
    names.flatMap((name) => {
      const feature = features[name]!
      return feature.kind === 'expression' ? [[name, compileExpression(feature.of)] as const] : []
    }),
  )
  return ({ id, time, isLate, values: event }: Event, reading: readonly string[]): Fields => {
    const values: Record<string, unknown> = {}
    const statuses: Record<string, string> = {}
    for (const name of names) {
      const feature = features[name]!
      const isOwn = feature.kind === 'expression' || !reading.includes(feature.at)
      if (!isOwn) continue
      const computed = evaluators.get(name)?.(event) ?? null
      const isAbsent = feature.kind !== 'expression'
      const { value, status } = readingOf(computed, feature.default, { isStale: isLate, isAbsent })
      values[name] = value
      statuses[name] = status
    }
    const parts = ['own', ...reading]
    return { kind: 'part', id, part: 'own', parts, time, late: isLate, values, statuses, event }
  }
}
