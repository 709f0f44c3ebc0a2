import type { EventTime } from '../domain/operator.ts'
import { beforeTime } from '../domain/operator.ts'
import type { Alignment } from './control.ts'
import type { Intake } from './intake.ts'
import type { Stage, TaskSpec } from './stage.ts'
import type { Input } from './turns.ts'

/** Records and bytes per read: small enough that one read never delays a commit for long. */
const readLimit = 500
const readBytes = 500_000

/** The inputs that are ready for their turn: read whole batches at a time, handed out one by one. */
export interface Supply<In> {
  /** Reads the next batch if nothing is ready. Everything asynchronous of a batch happens here. */
  fill(): Promise<void>
  /** The next input, or undefined when none is ready or alignment holds it back. */
  peek(): Input<In> | undefined
  /** The input that `peek` gave has had its turn. */
  advance(): void
  /** True when alignment held the next input back at the last look. */
  readonly isHeld: boolean
  /** Event time of the next input, if it has one. */
  readonly nextTime: EventTime | undefined
  /** Inputs that are ready. */
  readonly size: number
  /** Bytes read so far: what they lead to is bounded with them. */
  readonly readBytes: number
}

export function createSupply<In>(
  stage: Stage<In>,
  task: TaskSpec,
  intake: Intake,
  alignment: Alignment | undefined,
): Supply<In> {
  let ready: Input<In>[] = []
  let at = 0
  let isHeld = false
  let totalBytes = 0
  let timed: { readonly input: Input<In>; readonly time: EventTime | undefined } | undefined

  /** A record that will not be accepted has no time, and waits for nobody. While one waits, it is asked for once. */
  function timeOf(input: Input<In> | undefined): EventTime | undefined {
    if (input?.kind !== 'source' || stage.eventTime === undefined) return undefined
    if (timed?.input !== input) {
      timed = { input, time: stage.eventTime(task.topic, input.record, input.place.timestamp) }
    }
    return timed.time
  }

  return {
    async fill() {
      if (at < ready.length || intake.waiting === 0) return
      const records = intake.take(readLimit, readBytes)
      ready = await stage.read(records)
      at = 0
      for (const { value } of records) totalBytes += value?.length ?? 0
    },
    peek() {
      const input = ready[at]
      isHeld =
        input !== undefined &&
        alignment !== undefined &&
        (timeOf(input) ?? beforeTime) > alignment.limit(task.writer)
      return isHeld ? undefined : input
    },
    advance() {
      at += 1
    },
    get isHeld() {
      return isHeld
    },
    get nextTime() {
      return timeOf(ready[at])
    },
    get size() {
      return ready.length - at
    },
    get readBytes() {
      return totalBytes
    },
  }
}
