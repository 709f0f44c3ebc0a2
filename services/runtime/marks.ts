import { beforeTime, type EventTime } from '../domain/operator.ts'
import type { Mark } from './commit.ts'
import type { Stage } from './stage.ts'
import type { Progress } from './turns.ts'

/** How long a journal partition may hear nothing of a watermark that has moved. */
const silenceMs = 300

/** Marks tell the readers of a journal how far this writer is when it has no record for them. */
export interface Marks {
  /** The marks to send now; `idle` says that the input is quiet and must hold nobody back. */
  due(progress: Progress, idle: boolean, nowMs: number): Mark[]
  /** When the next mark would be due, if the watermark has moved; undefined when all partitions know it. */
  pending(progress: Progress, idle: boolean): boolean
}

interface Told {
  watermark: EventTime
  idle: boolean
  atMs: number
}

export function createMarks(stage: Stage, writer: string): Marks {
  const journals = Object.values(stage.outputs).filter((output) => output.journal)
  const told = new Map<string, Told>()
  const places = journals.flatMap((output) =>
    Array.from({ length: output.partitions }, (_, partition) => {
      const key = `${output.topic}/${partition}`
      told.set(key, { watermark: beforeTime, idle: false, atMs: 0 })
      return { key, topic: output.topic, partition, schema: output.schema }
    }),
  )
  const news = (progress: Progress, idle: boolean, { watermark, idle: wasIdle }: Told) =>
    progress.watermark > watermark || idle !== wasIdle
  return {
    pending: (progress, idle) => [...told.values()].some((each) => news(progress, idle, each)),
    due(progress, idle, nowMs) {
      const marks: Mark[] = []
      for (const { key, topic, partition, schema } of places) {
        const last = told.get(key)!
        if (!news(progress, idle, last)) continue
        if (idle === last.idle && nowMs - last.atMs < silenceMs) continue
        told.set(key, { watermark: progress.watermark, idle, atMs: nowMs })
        marks.push({ topic, partition, schema, value: markValue(progress, idle, writer, stage.delayMs) })
      }
      return marks
    },
  }
}

function markValue(
  progress: Progress,
  idle: boolean,
  writer: string,
  delayMs: number,
): Record<string, unknown> {
  const { incarnation, index, watermark } = progress
  const origin = { writer, incarnation, offset: -1, index, time: 0 }
  return { kind: idle ? 'idle' : 'mark', watermark: watermark - delayMs, origin }
}
