import type { EventTime } from '../operator.ts'
import type { Entry } from './log.ts'

/**
 * The part of a sorted run of entries that lies in the trailing window (asOf − sizeMs, asOf]: with a window of one
 * hour as of 10:00, an entry at 09:00 is out and one at 10:00 is in. `entries` must end at or before `asOf`.
 */
export function trailing(entries: readonly Entry[], asOf: EventTime, sizeMs: number): readonly Entry[] {
  let start = entries.length
  while (start > 0 && entries[start - 1]![0] > asOf - sizeMs) start -= 1
  return start === 0 ? entries : entries.slice(start)
}
