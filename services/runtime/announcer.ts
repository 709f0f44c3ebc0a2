import { beforeTime, type EventTime } from '../domain/operator.ts'
import type { Alignment, ControlEntry } from './control.ts'
import type { Fetcher } from './kafka/fetch.ts'
import type { Stage, TaskSpec } from './stage.ts'
import type { Progress } from './turns.ts'

/** What a task tells others of itself in `<topology>.control`, and tells the alignment of its own process. */
export interface Announcer {
  /** How far the task is, once all before is committed: the time of its next record, if it knows one. */
  reach(progress: Progress, next: EventTime | undefined, caughtUp: boolean): void
  /** Records have come: the others wait for this task until it has committed them. */
  busy(): void
  /** True when something new must be said now; the end of the input always must. */
  due(progress: Progress, nowMs: number): boolean
  /** The entry to commit, if any. The end is said only when everything else is committed. */
  entry(progress: Progress, isClean: boolean, nowMs: number): Promise<ControlEntry | undefined>
}

/** Other processes need to know how far a source partition is, but not more often than this. */
const intervalMs = 50

export function createAnnouncer(
  stage: Stage,
  task: TaskSpec,
  alignment: Alignment | undefined,
  reader: Fetcher,
): Announcer {
  const { writer, topic, partition } = task
  let front: EventTime = beforeTime
  let isCaughtUp = false
  let said = ''
  let saidAtMs = 0

  const standing = () => `${front}/${isCaughtUp}`
  const newsForOthers = (nowMs: number) =>
    alignment?.remote === true && nowMs - saidAtMs >= intervalMs && said !== 'ended' && said !== standing()

  return {
    reach(progress, next, caughtUp) {
      front = Math.max(progress.watermark, next ?? beforeTime)
      isCaughtUp = caughtUp || progress.ended
      alignment?.report(writer, front, isCaughtUp)
    },
    busy() {
      isCaughtUp = false
      alignment?.report(writer, front, false)
    },
    due: (progress, nowMs) => (progress.ended && said !== 'ended') || newsForOthers(nowMs),
    async entry(progress, isClean, nowMs) {
      const ended = progress.ended && isClean && said !== 'ended'
      if (!ended && !newsForOthers(nowMs)) return undefined
      const outputs = ended ? await outputEnds(stage, partition, reader) : []
      said = ended ? 'ended' : standing()
      saidAtMs = nowMs
      return { writer, topic, watermark: front, idle: isCaughtUp, ended, outputs }
    },
  }
}

/** Where every partition that the task may have written to stands, after its last record. */
async function outputEnds(
  stage: Stage,
  partition: number,
  reader: Fetcher,
): Promise<ControlEntry['outputs']> {
  const places = Object.values(stage.outputs).flatMap(({ topic, partitions, by }) =>
    by === 'own'
      ? [{ topic, partition }]
      : Array.from({ length: partitions }, (_, each) => ({ topic, partition: each })),
  )
  const ends = await reader.endOffsets(places, 'uncommitted')
  return places.map((place) => ({ ...place, offset: ends.get(`${place.topic}/${place.partition}`) ?? 0 }))
}
