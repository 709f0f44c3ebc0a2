import { beforeTime, type EventTime } from '../domain/operator.ts'

/** What a writer last said of itself in `<topology>.control`. */
export interface ControlEntry {
  readonly writer: string
  readonly topic: string
  readonly watermark: EventTime
  /** It had read everything there was. */
  readonly idle: boolean
  /** It will write no more; `outputs` say where each of its output partitions stood. */
  readonly ended: boolean
  readonly outputs: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
}

/** The table that every process keeps of `<topology>.control`: ends of inputs, and how far each source partition is. */
export interface ControlTable {
  /** `isOld` marks what had been written before this process began to read: its writer may have died since. */
  note(entry: ControlEntry, isOld?: boolean): void
  entry(writer: string, topic: string): ControlEntry | undefined
  /** True when the writer has spoken in the last seconds, as all do who live. */
  isFresh(writer: string, topic: string): boolean
  /** Where a finite input ends: all its writers have ended, and the last of them stood here. */
  endOf(topic: string, partition: number, writers: readonly string[]): number | undefined
  entries(): Iterable<ControlEntry>
}

/** Writers have one entry each, but `source` has one per user topic. */
export function controlKey(writer: string, topic: string): string {
  return writer === 'source' ? `${writer}/${topic}` : writer
}

/** Writers say where they stand at least every `repeatMs`; who has not been heard for three times as long is not believed to be idle. */
export const repeatMs = 3_000

export function createControlTable(changed: () => void, now = () => performance.now()): ControlTable {
  const table = new Map<string, ControlEntry>()
  const heardMs = new Map<string, number>()
  return {
    note(entry, isOld = false) {
      const key = controlKey(entry.writer, entry.topic)
      table.set(key, entry)
      if (isOld) heardMs.delete(key)
      else heardMs.set(key, now())
      changed()
    },
    entry: (writer, topic) => table.get(controlKey(writer, topic)),
    isFresh(writer, topic) {
      const heard = heardMs.get(controlKey(writer, topic))
      return heard !== undefined && now() - heard < 3 * repeatMs
    },
    entries: () => table.values(),
    endOf(topic, partition, writers) {
      let end = 0
      for (const writer of writers) {
        const entry = table.get(controlKey(writer, topic))
        if (entry === undefined || !entry.ended) return undefined
        for (const output of entry.outputs) {
          if (output.topic === topic && output.partition === partition) end = Math.max(end, output.offset)
        }
      }
      return end
    },
  }
}

/** Keeps the source partitions of all processes within `alignmentMs` of event time while they catch up. */
export interface Alignment {
  /**
   * How far a local task is: the event time of its next record when it knows it, else its committed watermark.
   * A task that has read everything holds nobody back.
   */
  report(writer: string, front: EventTime, caughtUp: boolean): void
  forget(writer: string): void
  /** The event time beyond which this writer waits for the others. */
  limit(writer: string): EventTime
  /** True when some source partition is read by another process. */
  readonly remote: boolean
}

export function createAlignment(
  writers: readonly { readonly writer: string; readonly topic: string }[],
  alignmentMs: number,
  control: ControlTable,
  changed: () => void,
): Alignment {
  const local = new Map<string, { front: EventTime; caughtUp: boolean }>()
  const standing = (writer: string, topic: string) => {
    const own = local.get(writer)
    if (own) return own
    const entry = control.entry(writer, topic)
    if (entry === undefined) return { front: beforeTime, caughtUp: false }
    const caughtUp = entry.ended || (entry.idle && control.isFresh(writer, topic))
    return { front: entry.watermark, caughtUp }
  }
  return {
    report(writer, front, caughtUp) {
      const before = local.get(writer)
      // Tasks that wait report again whenever they are woken: only news may wake the others.
      if (before?.front === front && before.caughtUp === caughtUp) return
      local.set(writer, { front, caughtUp })
      changed()
    },
    forget(writer) {
      local.delete(writer)
    },
    limit(writer) {
      let low = Number.POSITIVE_INFINITY
      for (const other of writers) {
        if (other.writer === writer) continue
        const { front, caughtUp } = standing(other.writer, other.topic)
        if (!caughtUp && front < low) low = front
      }
      return low + alignmentMs
    },
    get remote() {
      return local.size < writers.length
    },
  }
}
