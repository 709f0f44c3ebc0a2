import { beforeTime, type EventTime } from '../domain/operator.ts'
import type { Mark } from './commit.ts'
import type { Stage } from './stage.ts'
import { carriedWatermark, type Progress } from './turns.ts'

/** How long a journal partition may hear nothing of a watermark that has moved. */
const silenceMs = 300

/** Marks tell the readers of a journal how far this writer is when it has no record for them. */
export interface Marks {
  /** The marks to send now; `idle` says that the input is quiet and must hold nobody back. */
  due(progress: Progress, idle: boolean, nowMs: number): Mark[]
  /** True while some partition does not know how far the writer is. */
  pending(progress: Progress, idle: boolean): boolean
}

/** What a partition was last told. */
interface Told {
  readonly watermark: EventTime
  readonly idle: boolean
}

interface Place extends Told {
  readonly topic: string
  readonly partition: number
  readonly schema: string
  readonly atMs: number
}

export function createMarks(stage: Stage, writer: string): Marks {
  const places = Object.values(stage.outputs)
    .filter(({ journal }) => journal)
    .flatMap(({ topic, partitions, schema }) =>
      Array.from({ length: partitions }, (_, partition): Place => {
        return { topic, partition, schema, watermark: beforeTime, idle: false, atMs: 0 }
      }),
    )
  return {
    pending: (progress, idle) => places.some((place) => isNews(place, standing(place, progress, idle))),
    due(progress, idle, nowMs) {
      const marks: Mark[] = []
      for (const place of places) {
        const now = standing(place, progress, idle)
        const isTooSoon = now.idle === place.idle && nowMs - place.atMs < silenceMs
        if (!isNews(place, now) || isTooSoon) continue
        Object.assign(place, now, { atMs: nowMs })
        const { topic, partition, schema } = place
        marks.push({ topic, partition, schema, value: markValue(progress, now, writer, stage.delayMs) })
      }
      return marks
    },
  }
}

/**
 * A writer that has ended holds nobody back, but it does not take its readers to the end of time either: other
 * writers may still be at work, and only the control topic says that all of them have ended.
 */
function standing(told: Told, { watermark, ended }: Progress, idle: boolean): Told {
  return { watermark: ended ? told.watermark : watermark, idle: idle || ended }
}

function isNews(told: Told, now: Told): boolean {
  return now.watermark > told.watermark || now.idle !== told.idle
}

function markValue(progress: Progress, now: Told, writer: string, delayMs: number): Record<string, unknown> {
  const { incarnation, index } = progress
  const origin = { writer, incarnation, offset: -1, index, time: 0 }
  return { kind: now.idle ? 'idle' : 'mark', watermark: carriedWatermark(now.watermark, delayMs), origin }
}
