import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fields } from './avro.ts'
import { binsOf, type Frame, guards } from './cells.ts'
import { type AuditContext, stageNamed } from './context.ts'
import type { Tallies } from './panes.ts'
import { replayTask } from './task-replay.ts'
import { verdictModel } from './verdicts.ts'
import { type Ref, whereOf } from './written.ts'

/** What is read of the reference profile. */
interface Profile {
  readonly features: Readonly<Record<string, Frame>>
  readonly score: Frame
  readonly counts: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
}

type Window = { readonly start: number; readonly end: number }

/**
 * No report is there twice, and the last word on each window rests on all rows of it: coverage counts and the drift
 * distance are worked out again from the recounted panes, once the input has ended.
 */
export async function auditReports(context: AuditContext, rows: Tallies): Promise<void> {
  const { findings, checkpoints, written, decoder } = context
  const last = new Map<string, { ref: Ref; fields: Fields }>()
  const seen = new Set<string>()
  let isSettled = true
  const stage = stageNamed(context, 'verdict')
  for (const task of stage.tasks) {
    const { writer } = task
    await replayTask(context, stage, task, verdictModel(context, stage, task))
    const { end, at } = written.get(writer)!
    const checkpoint = checkpoints.get(writer)?.last
    // A pane that came when its window was forgotten is in no report.
    if (checkpoint?.ended !== true || checkpoint.counts.late > 0) isSettled = false
    for (let index = 1; index <= end; index++) {
      const ref = at(index)
      if (ref === undefined) {
        isSettled = false
        continue
      }
      const fields = decoder.own(ref.log.at(ref.place).value!)
      const id = fields['reportId']
      if (typeof id !== 'string') continue
      const name = `${ref.log.topic} ${id}`
      if (seen.has(name))
        findings.add('duplicated', () => `${whereOf(ref.log, ref.place)}: ${id} is there twice`)
      seen.add(name)
      last.set(`${ref.log.topic} ${withoutRevision(id)}`, { ref, fields })
    }
  }
  if (!isSettled) return
  const profiles = new Map(
    context.topology.models.map(({ name, version, profile }) => {
      const json = readFileSync(join(context.folder, profile), 'utf8')
      return [`${name}@${version}`, JSON.parse(json) as Profile]
    }),
  )
  for (const { ref, fields } of last.values()) {
    const found = checkReport(fields, profiles, rows, context.topology.monitors.paneMs)
    if (found !== undefined) findings.add('wrongValues', () => `${whereOf(ref.log, ref.place)}: ${found}`)
  }
}

function withoutRevision(id: string): string {
  return id.slice(0, id.lastIndexOf('/'))
}

function checkReport(
  fields: Fields,
  profiles: ReadonlyMap<string, Profile>,
  rows: Tallies,
  paneMs: number,
): string | undefined {
  const { feature, segment, reportId } = fields
  const model = `${fields['model']}@${fields['modelVersion']}`
  const profile = profiles.get(model)
  const isCoverage = Array.isArray(fields['shares'])
  const isDrift = 'nReference' in fields
  if (profile === undefined || typeof feature !== 'string' || feature === '') return undefined
  const frame = feature === '__score__' ? profile.score : profile.features[feature]
  if (frame === undefined || (!isCoverage && !isDrift)) return undefined
  const cells = rowsOf(rows, [feature, String(segment), model], fields['window'] as Window, paneMs, frame)
  const found = isCoverage
    ? wrongShare(fields, frame, cells)
    : wrongDistance(fields, frame, profile.counts[feature]?.[String(segment)], cells)
  return found === undefined ? undefined : `${reportId}: ${found}`
}

function rowsOf(
  rows: Tallies,
  name: readonly string[],
  { start, end }: Window,
  paneMs: number,
  frame: Frame,
): number[] {
  const cells = new Array<number>(binsOf(frame) + guards.length).fill(0)
  for (let pane = start; pane < end; pane += paneMs) {
    const counts = rows.get(['prediction', pane, ...name].join('|')) ?? []
    counts.forEach((count, cell) => {
      cells[cell]! += count
    })
  }
  return cells
}

const absent = ['null', 'nan', 'default', 'invalid']

function wrongShare(fields: Fields, frame: Frame, cells: readonly number[]): string | undefined {
  const n = sum(cells)
  if (fields['n'] !== n) return `n is ${fields['n']}, counted again ${n}`
  const guard = (name: string) => cells[binsOf(frame) + guards.indexOf(name)]!
  const counts: Readonly<Record<string, number>> = {
    ...Object.fromEntries(guards.map((name) => [name, guard(name)])),
    present: n - sum(absent.map(guard)),
    outOfRange: guard('below') + guard('above'),
  }
  for (const { of, k } of fields['shares'] as readonly { readonly of: string; readonly k: number }[]) {
    if (counts[of] !== undefined && counts[of] !== k) return `${of} is ${k}, counted again ${counts[of]}`
  }
  return undefined
}

const tolerance = 1e-9

/** Jensen–Shannon divergence in bits between shares that are smoothed with half a row per cell. */
function wrongDistance(
  fields: Fields,
  frame: Frame,
  reference: readonly number[] | undefined,
  cells: readonly number[],
): string | undefined {
  const value = fields['value']
  if (reference === undefined || sum(reference) === 0 || typeof value !== 'number') return undefined
  const pairs = comparedCells(frame, reference, cells)
  const [before, now] = [sum(pairs.map(([count]) => count)), sum(pairs.map(([, count]) => count))]
  if (before === 0 || now === 0) return undefined
  if (fields['n'] !== now || fields['nReference'] !== before)
    return `n is ${fields['n']} of ${fields['nReference']}, counted again ${now} of ${before}`
  let bits = 0
  for (const [count, other] of pairs) {
    const p = (count + 0.5) / (before + pairs.length / 2)
    const q = (other + 0.5) / (now + pairs.length / 2)
    bits += (p * Math.log2((2 * p) / (p + q)) + q * Math.log2((2 * q) / (p + q))) / 2
  }
  return Math.abs(bits - value) <= tolerance
    ? undefined
    : `the distance is ${value}, worked out again ${bits}`
}

const comparedGuards = ['below', 'above', 'null', 'nan', 'unknown']
const mostBins = 20

/** Rows in the reference and now, per group of bins and per guard cell that is compared; empty ones are left out. */
function comparedCells(
  frame: Frame,
  reference: readonly number[],
  cells: readonly number[],
): [number, number][] {
  const bins = binsOf(frame)
  const ends = groupEnds(frame, reference.slice(0, bins))
  const groups = ends.map((end, at): [number, number] => {
    const from = at === 0 ? 0 : ends[at - 1]!
    return [sum(reference.slice(from, end)), sum(cells.slice(from, end))]
  })
  const guarded = comparedGuards.map((name): [number, number] => {
    const cell = bins + guards.indexOf(name)
    return [reference[cell] ?? 0, cells[cell] ?? 0]
  })
  return [...groups, ...guarded].filter(([before, now]) => before + now > 0)
}

/** Many ordered bins are joined until each group has its twentieth of the reference. */
function groupEnds(frame: Frame, reference: readonly number[]): number[] {
  const bins = binsOf(frame)
  if (frame.kind !== 'numeric' || bins <= mostBins) return Array.from({ length: bins }, (_, bin) => bin + 1)
  const ends: number[] = []
  const total = sum(reference)
  let below = 0
  for (let bin = 0; bin < bins; bin++) {
    below += reference[bin] ?? 0
    const wanted = (total * (ends.length + 1)) / mostBins
    if (bin === bins - 1 || below >= wanted * (1 - 1e-9)) ends.push(bin + 1)
  }
  return ends
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
