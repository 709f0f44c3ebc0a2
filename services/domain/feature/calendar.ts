import { DefinitionError } from '../definition-error.ts'
import { endOfTime } from '../operator.ts'

/** Where an instant falls in the week of a place. */
export interface LocalTime {
  /** 0 to 23. */
  readonly hour: number
  /** 1 (Monday) to 7 (Sunday). */
  readonly weekday: number
}

/** The wall clock of one IANA time zone. `ms` is an instant: ms since 1970-01-01T00:00Z. */
export type LocalClock = (ms: number) => LocalTime

const quarterHourMs = 900_000
const rememberedQuarters = 4_096
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const clocks = new Map<string, LocalClock>()

/** @throws DefinitionError when no zone has that name. */
export function localClock(zone: string): LocalClock {
  const known = clocks.get(zone)
  if (known !== undefined) return known
  const clock = remembering(exactClock(zone))
  clocks.set(zone, clock)
  return clock
}

function exactClock(zone: string): LocalClock {
  const format = formatOf(zone)
  return (ms) => {
    const parts = format.formatToParts(ms)
    const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? ''
    return { hour: Number(part('hour')), weekday: weekdays.indexOf(part('weekday')) + 1 }
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', hourCycle: 'h23' })
  } catch {
    throw new DefinitionError(`no time zone is called "${timeZone}"`)
  }
}

/**
 * Asks once per quarter of an hour, since formatting costs a hundred times what a look-up does. A quarter in which the
 * hour turns is not remembered: Newfoundland changed its clocks at one minute past midnight, and old offsets have seconds.
 */
function remembering(clock: LocalClock): LocalClock {
  const quarters = new Map<number, LocalTime | null>()
  return (ms) => {
    const quarter = Math.floor(ms / quarterHourMs)
    let known = quarters.get(quarter)
    if (known === undefined) {
      if (quarters.size >= rememberedQuarters) quarters.clear()
      const [first, last] = [
        clock(quarter * quarterHourMs),
        clock(Math.min((quarter + 1) * quarterHourMs - 1, endOfTime)),
      ]
      known = first.hour === last.hour && first.weekday === last.weekday ? first : null
      quarters.set(quarter, known)
    }
    return known ?? clock(ms)
  }
}
