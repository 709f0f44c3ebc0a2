export interface Alarm {
  readonly at: number
  readonly name: string
}

/** Timers in event time, in (at, name) order. */
export interface Alarms {
  set(at: number, name: string): void
  /** Removes and returns the first that is due; undefined when none is. */
  next(watermark: number): Alarm | undefined
}

/** A sorted list: what is set is nearly always later than all that waits, so a place is found at once. */
export function createAlarms(): Alarms {
  let waiting: Alarm[] = []
  let gone = 0
  return {
    set(at, name) {
      const alarm = { at, name }
      let place = waiting.length
      while (place > gone && isBefore(alarm, waiting[place - 1]!)) place -= 1
      waiting.splice(place, 0, alarm)
    },
    next(watermark) {
      const first = waiting[gone]
      if (first === undefined || first.at > watermark) return undefined
      gone += 1
      if (gone > 1_000 && gone > waiting.length / 2) {
        waiting = waiting.slice(gone)
        gone = 0
      }
      return first
    },
  }
}

function isBefore(left: Alarm, right: Alarm): boolean {
  return left.at < right.at || (left.at === right.at && left.name < right.name)
}
