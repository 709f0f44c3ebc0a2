import type { Stamp } from './avro.ts'

export const beforeTime = -8_640_000_000_000_000
export const endOfTime = 8_640_000_000_000_000

/** Event time of the task that reads a journal, by definition, and what it drops because it has seen it. */
export interface TaskClock {
  hear(stamp: Stamp): { readonly seen: boolean; readonly watermark: number }
}

/**
 * The least of what the writers have said so far, those left out whose last word was that they are idle. It stands
 * still until every writer has spoken, while all are idle, and where the least would fall back.
 */
export function createTaskClock(writers: readonly string[]): TaskClock {
  const said = new Map<string, { index: number; watermark: number; idle: boolean }>()
  let reached = beforeTime
  return {
    hear({ kind, origin, watermark }) {
      const before = said.get(origin.writer)
      const isMark = kind === 'mark' || kind === 'idle'
      if (before !== undefined && !isMark && origin.index <= before.index)
        return { seen: true, watermark: reached }
      said.set(origin.writer, {
        index: Math.max(before?.index ?? 0, origin.index),
        watermark: Math.max(before?.watermark ?? beforeTime, watermark),
        idle: kind === 'idle',
      })
      reached = Math.max(reached, leastOf(writers, said) ?? reached)
      return { seen: false, watermark: reached }
    },
  }
}

function leastOf(
  writers: readonly string[],
  said: ReadonlyMap<string, { readonly watermark: number; readonly idle: boolean }>,
): number | undefined {
  let least: number | undefined
  for (const writer of writers) {
    const word = said.get(writer)
    if (word === undefined) return undefined
    if (!word.idle && (least === undefined || word.watermark < least)) least = word.watermark
  }
  return least
}
