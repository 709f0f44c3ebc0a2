import { beforeTime, type EventTime } from '../domain/operator.ts'
import { type Alignment, type ControlEntry, repeatMs } from './control.ts'
import type { Fetcher } from './kafka/fetch.ts'
import type { Stage, TaskSpec } from './stage.ts'
import type { Progress } from './turns.ts'

/** What a task tells others of itself in `<topology>.control`, and tells the alignment of its own process. */
export interface Announcer {
  /** How far the task is, now that all before is committed. */
  reach(progress: Progress, reach: Reach): void
  /** Records have come: the others wait for this task until it has committed them. */
  busy(): void
  /** True when something new must be said now; the end of the input always must. */
  due(progress: Progress, nowMs: number): boolean
  /**
   * The entry to commit, if any: how far the task will be once it is committed. The end of the input is said
   * only when nothing else is left to commit.
   */
  entry(progress: Progress, reach: Reach, isClean: boolean, nowMs: number): Promise<ControlEntry | undefined>
}

/** What a task knows of its input. */
export interface Reach {
  /** Event time of the next record, if there is one that has a time. */
  readonly nextTime: EventTime | undefined
  /** Everything that there was has been applied. */
  readonly isCaughtUp: boolean
}

/** Other processes need to know how far a source partition is, but not for a commit of its own more often than this. */
const intervalMs = 30

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

  const frontOf = (progress: Progress, { nextTime }: Reach) =>
    Math.max(progress.watermark, nextTime ?? beforeTime)
  /** Something new, or the same again: who is silent for long is not believed to be alive. */
  const isWorthIt = (standing: string, nowMs: number) =>
    alignment?.remote === true && said !== 'ended' && (said !== standing || nowMs - saidAtMs >= repeatMs)

  return {
    reach(progress, reach) {
      front = frontOf(progress, reach)
      isCaughtUp = reach.isCaughtUp || progress.ended
      alignment?.report(writer, front, isCaughtUp)
    },
    busy() {
      isCaughtUp = false
      alignment?.report(writer, front, false)
    },
    due(progress, nowMs) {
      if (progress.ended && said !== 'ended') return true
      return nowMs - saidAtMs >= intervalMs && isWorthIt(`${front}/${isCaughtUp}`, nowMs)
    },
    async entry(progress, reach, isClean, nowMs) {
      const ended = progress.ended && isClean && said !== 'ended'
      const watermark = frontOf(progress, reach)
      const idle = reach.isCaughtUp || progress.ended
      const standing = `${watermark}/${idle}`
      if (!ended && !isWorthIt(standing, nowMs)) return undefined
      const outputs = ended ? await outputEnds(stage, partition, reader) : []
      said = ended ? 'ended' : standing
      saidAtMs = nowMs
      return { writer, topic, watermark, idle, ended, outputs }
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
