import { beforeTime, type EventTime } from '../domain/operator.ts'
import type { ControlEntry, ControlTable } from './control.ts'
import type { Intake } from './intake.ts'
import type { Fetcher } from './kafka/fetch.ts'
import { type Stage, type StageInput, type TaskSpec, writersOf } from './stage.ts'
import { carriedWatermark, type Input, type Progress } from './turns.ts'
import { unknownIncarnation } from './upstreams.ts'

/**
 * Public topics hold nothing but their records, so a writer that has none passes its watermark on through the
 * control topic: at this offset of this partition, event time has come so far. A reader that stands there may
 * believe it, whenever it reads it; one that is already past it has a later record that says the same.
 */
export interface QuietWriter {
  /** True when the watermark has moved and nothing has been written for a while. */
  due(progress: Progress, nowMs: number): boolean
  entry(progress: Progress, nowMs: number): Promise<ControlEntry>
  /** A commit has written records: they carry the watermark, and the silence begins anew. */
  wrote(nowMs: number): void
}

/** How long a public topic may be silent while event time goes on. */
const silenceMs = 1_000

export function createQuietWriter(stage: Stage, task: TaskSpec, reader: Fetcher): QuietWriter | undefined {
  const own = Object.values(stage.outputs).filter(({ by, journal }) => by === 'own' && !journal)
  if (own.length === 0) return undefined
  const places = own.map(({ topic }) => ({ topic, partition: task.partition }))
  let told: EventTime = beforeTime
  let toldAtMs = 0
  const carried = ({ watermark }: Progress) => carriedWatermark(watermark, stage.delayMs)
  return {
    due: (progress, nowMs) => !progress.ended && carried(progress) > told && nowMs - toldAtMs >= silenceMs,
    async entry(progress, nowMs) {
      told = carried(progress)
      toldAtMs = nowMs
      const ends = await reader.endOffsets(places, 'uncommitted')
      const outputs = places.map((place) => ({
        ...place,
        offset: ends.get(`${place.topic}/${place.partition}`) ?? 0,
      }))
      return { writer: task.writer, topic: task.topic, watermark: told, idle: true, ended: false, outputs }
    },
    wrote(nowMs) {
      toldAtMs = nowMs
    },
  }
}

/** What the only writer of a partition has said beyond its last record, if the reader has come to where it holds. */
export function quietMark<In>(
  input: StageInput,
  task: TaskSpec,
  control: ControlTable,
  intake: Pick<Intake, 'waiting' | 'hasReached'>,
  progress: Progress,
): Input<In> | undefined {
  if (input.source || !input.own || intake.waiting > 0) return undefined
  const [writer] = writersOf(input, task.partition)
  const entry = writer === undefined ? undefined : control.entry(writer, task.topic)
  if (writer === undefined || entry === undefined || entry.ended) return undefined
  const { topic, partition } = task
  const output = entry.outputs.find((each) => each.topic === topic && each.partition === partition)
  if (output === undefined || !intake.hasReached(output.offset)) return undefined
  const upstream = progress.upstreams.get(writer)
  if (entry.watermark <= (upstream?.watermark ?? beforeTime)) return undefined
  const { incarnation, index } = upstream ?? { incarnation: unknownIncarnation, index: 0 }
  return {
    kind: 'mark',
    place: { topic, partition, offset: progress.position - 1, timestamp: 0 },
    origin: { writer, incarnation, offset: -1, index, time: 0 },
    watermark: entry.watermark,
    idle: false,
  }
}
