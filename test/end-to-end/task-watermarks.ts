import { beforeTime } from '../../services/domain/operator.ts'
import type { Stamped, Stored } from './run-topics.ts'

/**
 * The watermark of the task that reads one partition of a journal, once it has read each record, by definition: the
 * least of what its writers have said so far, those left out whose last word was that they are idle. It stands still
 * until every writer has spoken, while all are idle, and where the least would fall back.
 *
 * @param records one partition in offset order, marks included
 */
export function taskWatermarks(writers: readonly string[], records: readonly Stored<Stamped>[]): number[] {
  const said = new Map<string, { watermark: number; idle: boolean }>()
  let reached = beforeTime
  return records.map(({ value: { kind, origin, watermark } }) => {
    const before = said.get(origin.writer)?.watermark ?? beforeTime
    said.set(origin.writer, { watermark: Math.max(before, watermark), idle: kind === 'idle' })
    const active = writers.map((writer) => said.get(writer)).filter((one) => one?.idle !== true)
    if (active.length === 0 || active.includes(undefined)) return reached
    reached = Math.max(reached, Math.min(...active.map((one) => one?.watermark ?? beforeTime)))
    return reached
  })
}
