import type { ServiceProcess } from './processes.ts'

/** What a service says of one of its tasks at `/status`. */
export interface TaskReport {
  readonly stage: string
  readonly topic: string
  readonly partition: number
  readonly running: boolean
  readonly ended: boolean
  readonly lag: number
  readonly watermark?: number
  readonly counts?: {
    readonly in: number
    readonly applied: number
    readonly late: number
    readonly duplicate: number
    readonly deadLettered: number
  }
}

export interface StageProgress {
  readonly stage: string
  readonly events: number
  readonly lag: number
  /** The lowest of its tasks; undefined while one of them has not spoken. */
  readonly watermark: number | undefined
  readonly ended: boolean
}

export async function askServices(services: readonly ServiceProcess[]): Promise<TaskReport[]> {
  const answers = await Promise.all(services.map(({ port }) => askService(port)))
  return answers.flat()
}

/** A service that is being killed or started says nothing. */
async function askService(port: number): Promise<TaskReport[]> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(2_000) })
    return answer.ok ? ((await answer.json()) as TaskReport[]) : []
  } catch {
    return []
  }
}

/** Adds tasks up into stages, in the order in which they were first seen. */
export function byStage(reports: readonly TaskReport[]): StageProgress[] {
  const stages = Map.groupBy(reports, ({ stage }) => stage)
  return [...stages].map(([stage, tasks]) => ({
    stage,
    events: tasks.reduce((sum, { counts }) => sum + (counts?.in ?? 0), 0),
    lag: tasks.reduce((sum, { lag }) => sum + lag, 0),
    watermark: lowest(tasks.map(({ watermark }) => watermark)),
    ended: tasks.every(({ ended }) => ended),
  }))
}

/** One line per stage: events, events per second since the last look, lag, watermark. */
export function progressLines(
  now: readonly StageProgress[],
  before: readonly StageProgress[],
  seconds: number,
): string[] {
  return now.map(({ stage, events, lag, watermark, ended }) => {
    const earlier = before.find((each) => each.stage === stage)?.events ?? 0
    const rate = Math.max(0, Math.round((events - earlier) / seconds))
    const state = ended ? 'ended' : watermarkText(watermark)
    return `${stage.padEnd(20)} ${String(events).padStart(8)} events ${String(rate).padStart(7)}/s  lag ${String(lag).padStart(6)}  ${state}`
  })
}

/** A task that has seen nothing stands before all dates that can be printed. */
const earliestShown = -62_135_596_800_000
const latestShown = 253_402_300_799_000

function watermarkText(watermark: number | undefined): string {
  if (watermark === undefined || watermark < earliestShown) return 'no watermark yet'
  return watermark > latestShown ? 'ended' : new Date(watermark).toISOString().slice(0, 16)
}

function lowest(watermarks: readonly (number | undefined)[]): number | undefined {
  let low: number | undefined
  for (const watermark of watermarks) {
    if (watermark === undefined) return undefined
    if (low === undefined || watermark < low) low = watermark
  }
  return low
}

/** Prints blocks of lines to a terminal in place, and one after another to anything else. */
export function createScreen(stream: NodeJS.WriteStream): (lines: readonly string[]) => void {
  let shown = 0
  return (lines) => {
    if (stream.isTTY && shown > 0) stream.write(`\u001b[${shown}A\u001b[J`)
    stream.write(`${lines.join('\n')}\n`)
    shown = lines.length
  }
}
