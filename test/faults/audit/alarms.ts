export interface Alarm {
  readonly at: number
  readonly name: string
}

/** Timers in event time, in (at, name) order. */
export interface Alarms {
  set(at: number, name: string): void
  /** Removes and returns those that are due, in order. */
  due(watermark: number): Alarm[]
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
    due(watermark) {
      const from = gone
      while (gone < waiting.length && waiting[gone]!.at <= watermark) gone += 1
      const due = waiting.slice(from, gone)
      if (gone > 1_000 && gone > waiting.length / 2) {
        waiting = waiting.slice(gone)
        gone = 0
      }
      return due
    },
  }
}

function isBefore(left: Alarm, right: Alarm): boolean {
  return left.at < right.at || (left.at === right.at && left.name < right.name)
}
