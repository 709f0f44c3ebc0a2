import type { Topology } from '../../../topologies/compiled.ts'
import { topicOf } from '../../../topologies/topics.ts'
import type { Fields } from './avro.ts'
import { type AuditContext, inputLog, stageNamed } from './context.ts'
import { causeMatcher } from './matcher.ts'
import { beforeTime } from './task-clock.ts'
import { type Model, replayTask } from './task-replay.ts'

/** Rows per cell, by kind, start of the pane, feature, segment and model. */
export type Tallies = Map<string, number[]>

export interface PaneCount {
  readonly feature: string
  readonly segment: string
  readonly model: string
  readonly cells: readonly number[]
}

/** Where records are counted that were met before any event time was known. */
const early = 'early'
const states = ['labelled', 'expired', 'corrected', 'orphan']

/**
 * Counts every prediction, outcome, late record and dead letter again, and compares with the panes. In which pane of
 * several for the same stretch a row is counted depends on when event time moved; their sum does not.
 *
 * @returns the recount
 */
export async function auditPanes(context: AuditContext): Promise<Tallies> {
  const stage = stageNamed(context, 'pane')
  const counted = await countInputs(context)
  const { found, isWhole } = readPanes(context)
  const hasEnded = stage.tasks.every(({ writer, ...task }) => {
    const { size } = inputLog(context, { writer, ...task })
    return context.checkpoints.get(writer)?.last?.ended ?? size === 0
  })
  for (const [name, cells] of counted) {
    if (!name.includes(`|${early}|`)) continue
    counted.delete(name)
    settleEarly(name, cells, counted, found)
  }
  for (const name of new Set([...counted.keys(), ...found.keys()])) {
    const [right, said] = [counted.get(name) ?? [], found.get(name) ?? []]
    const differing = Array.from({ length: Math.max(right.length, said.length) }, (_, cell) => {
      return (said[cell] ?? 0) - (right[cell] ?? 0)
    })
    const isMore = differing.some((difference) => difference > 0)
    const isLess = differing.some((difference) => difference < 0)
    // A hole among the panes is reported as such; an open pane of a run that goes on is not yet written.
    if (!isMore && (!isLess || !isWhole || !hasEnded)) continue
    context.findings.add('wrongValues', () => `panes ${name}: ${said}, counted again ${right}`)
  }
  return counted
}

/** Early rows join whatever pane event time began in: the first that holds more than was counted for it. */
function settleEarly(name: string, cells: readonly number[], counted: Tallies, found: Tallies): void {
  const [kind, , ...rest] = name.split('|')
  const match = [...found].find(([other, said]) => {
    const [otherKind, , ...otherRest] = other.split('|')
    const isSame = otherKind === kind && otherRest.join('|') === rest.join('|')
    return (
      isSame && cells.every((count, cell) => (said[cell] ?? 0) - (counted.get(other)?.[cell] ?? 0) >= count)
    )
  })
  const into = match?.[0] ?? name
  addCells(counted, into, cells)
}

function readPanes({ plan, written, decoder }: AuditContext): { found: Tallies; isWhole: boolean } {
  const found: Tallies = new Map()
  let isWhole = true
  for (const { writer } of stageNamed({ plan }, 'pane').tasks) {
    const { end, at } = written.get(writer)!
    for (let index = 1; index <= end; index++) {
      const ref = at(index)
      if (ref === undefined) {
        isWhole = false
        continue
      }
      const { kind, start, counts } = decoder.own(ref.log.at(ref.place).value!) as unknown as {
        readonly kind: string
        readonly start: number
        readonly counts: readonly PaneCount[]
      }
      for (const { feature, segment, model, cells } of counts)
        addCells(found, [kind, start, feature, segment, model].join('|'), cells)
    }
  }
  return { found, isWhole }
}

/** Reads the inputs as the tasks did: what a writer that runs at least once has repeated was dropped. */
async function countInputs(context: AuditContext): Promise<Tallies> {
  const { topology } = context
  const tallies: Tallies = new Map()
  const own = (noun: Parameters<typeof topicOf>[1]) => topicOf(topology.name, noun)
  const counters = new Map<string, (fields: Fields) => void>([
    [own('predictions'), (fields) => countPrediction(tallies, topology, fields)],
    [own('outcomes'), (fields) => countOutcome(tallies, topology, fields)],
    [own('late'), (fields) => countSetAside(tallies, topology, 'late', fields['watermarkAt'], fields)],
    [
      own('dead-letters'),
      (fields) => countSetAside(tallies, topology, 'deadLetter', fields['watermark'], fields),
    ],
  ])
  const stage = stageNamed(context, 'pane')
  for (const task of stage.tasks) {
    const count = counters.get(task.topic)!
    const model: Model = {
      turn({ fields }) {
        count(fields)
        return []
      },
    }
    await replayTask(context, stage, task, model, causeMatcher(context, task))
  }
  return tallies
}

type Segments = Readonly<Record<string, string>>

function segmentsOf(segments: unknown): string[] {
  return ['', ...Object.entries(segments as Segments).map(([name, value]) => `${name}=${value}`)]
}

function startOf({ monitors: { paneMs } }: Topology, time: number): number {
  return Math.floor(time / paneMs) * paneMs
}

function countPrediction(tallies: Tallies, topology: Topology, fields: Fields): void {
  const model = `${fields['model']}@${fields['modelVersion']}`
  const start = startOf(topology, Number(fields['time']))
  for (const segment of segmentsOf(fields['segments'])) {
    for (const [feature, cell] of Object.entries(fields['cells'] as Readonly<Record<string, number>>))
      addRow(tallies, ['prediction', start, feature, segment, model], cell, 1)
  }
}

/** A correction takes back what the label before had counted. */
function countOutcome(tallies: Tallies, topology: Topology, fields: Fields): void {
  const { time, state, label, previousLabel, scoreCell } = fields
  const model = `${fields['model']}@${fields['modelVersion']}`
  const start = startOf(topology, Number(time))
  const [isClass, wasClass] = [typeof label === 'boolean', typeof previousLabel === 'boolean']
  for (const segment of segmentsOf(fields['segments'])) {
    const row = (feature: string, cell: number, by: number) =>
      addRow(tallies, ['outcome', start, feature, segment, model], cell, by)
    row('__state__', states.indexOf(String(state)), 1)
    if (state === 'orphan') continue
    row('__score__', Number(scoreCell), Number(isClass) - Number(wasClass))
    row('__positive__', Number(scoreCell), Number(label === true) - Number(previousLabel === true))
  }
}

function countSetAside(
  tallies: Tallies,
  topology: Topology,
  kind: string,
  at: unknown,
  fields: Fields,
): void {
  const { topic, stage, reason } = fields
  const start = at === beforeTime ? early : startOf(topology, Number(at))
  addRow(tallies, [kind, start, topic, `${stage}/${reason}`, ''], 0, 1)
}

function addRow(tallies: Tallies, name: readonly unknown[], cell: number, by: number): void {
  if (by === 0 || !Number.isInteger(cell) || cell < 0) return
  const key = name.join('|')
  const cells = tallies.get(key) ?? []
  tallies.set(key, cells)
  while (cells.length <= cell) cells.push(0)
  cells[cell]! += by
}

function addCells(tallies: Tallies, name: string, cells: readonly number[]): void {
  const sum = tallies.get(name) ?? []
  tallies.set(name, sum)
  cells.forEach((count, cell) => {
    sum[cell] = (sum[cell] ?? 0) + count
  })
}
