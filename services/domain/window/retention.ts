import type { Stream } from '../event/contract.ts'

/**
 * How far behind the watermark an event may be and still be given the windows of its own time: two streams may be
 * apart by the alignment, and each event by its stream's lateness, twice over so that a late event has as much room
 * again. Windows keep their entries for this much longer than their size; a later event is told nothing.
 */
export function slackMs(streams: Readonly<Record<string, Stream>>, alignmentMs: number): number {
  const lateness = Object.values(streams).map(({ latenessMs }) => latenessMs)
  return alignmentMs + 2 * Math.max(0, ...lateness)
}
