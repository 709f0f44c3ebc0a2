import { DefinitionError } from '../definition-error.ts'
import type { EventTime } from '../operator.ts'

const dayMs = 86_400_000
const weekMs = 7 * dayMs

/** The epoch was a Thursday: its first Monday, 1970-01-05T00:00Z, is where weeks begin. */
const firstMonday = 4 * dayMs

/**
 * The start of the report window that holds `time`. Windows tumble and are aligned to the epoch in UTC;
 * windows of whole weeks begin on a Monday, so that each holds every weekday once.
 */
export const windowStart = (time: EventTime, windowMs: number): EventTime => {
  const offset = offsetOf(windowMs)
  return Math.floor((time - offset) / windowMs) * windowMs + offset
}

/** Panes must not straddle windows. */
export const checkWindow = (paneMs: number, windowMs: number): void => {
  const fits = paneMs > 0 && windowMs > 0 && windowMs % paneMs === 0 && offsetOf(windowMs) % paneMs === 0
  if (!fits) {
    throw new DefinitionError(`monitors.windowMs ${windowMs} is not made of whole panes of ${paneMs} ms`)
  }
}

const offsetOf = (windowMs: number): number => (windowMs % weekMs === 0 ? firstMonday : 0)
