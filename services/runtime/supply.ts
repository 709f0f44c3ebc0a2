import type { EventTime } from '../domain/operator.ts'
import { beforeTime } from '../domain/operator.ts'
import type { Alignment } from './control.ts'
import type { Intake } from './intake.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { Log } from './log.ts'
import { createPatience } from './patience.ts'
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
  /** True when alignment holds the next input back, or what is needed to read it is away. */
  readonly isHeld: boolean
  /** Event time of the next input, if it has one. */
  readonly nextTime: EventTime | undefined
  /** Inputs that are ready, or taken and not yet read. */
  readonly size: number
  /** Bytes read so far: what they lead to is bounded with them. */
  readonly readBytes: number
}

export interface SupplyOptions<In> {
  readonly stage: Stage<In>
  readonly task: TaskSpec
  readonly intake: Intake
  readonly alignment: Alignment | undefined
  readonly log: Log
}

export function createSupply<In>({ stage, task, intake, alignment, log }: SupplyOptions<In>): Supply<In> {
  const patience = createPatience(log)
  let unread: FetchedRecord[] = []
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
      if (at < ready.length || patience.isWaiting) return
      if (unread.length === 0) unread = intake.take(readLimit, readBytes)
      if (unread.length === 0) return
      const read = await patience.attempt(() => stage.read(unread))
      if (read === undefined) return
      ready = read
      at = 0
      for (const { value } of unread) totalBytes += value?.length ?? 0
      unread = []
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
      return isHeld || patience.isWaiting
    },
    get nextTime() {
      return timeOf(ready[at])
    },
    get size() {
      return ready.length - at + unread.length
    },
    get readBytes() {
      return totalBytes
    },
  }
}
