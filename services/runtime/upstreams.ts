import { beforeTime, type EventTime, endOfTime } from '../domain/operator.ts'
import { tidemarkError } from './errors.ts'
import type { Input, Progress } from './turns.ts'

/** Of a writer that was heard of before any record of it. */
export const unknownIncarnation = 0

export interface Upstream {
  incarnation: number
  offset: number
  index: number
  watermark: EventTime
  idle: boolean
}

/** A record or a mark that another task wrote. */
export type Internal = Exclude<Input<unknown>, { kind: 'source' }>

/** True when a record was seen before. A reset upstream is a coded stop. */
export function isSeen(progress: Progress, input: Internal, writer: string): boolean {
  const { origin } = input
  const last = progress.upstreams.get(origin.writer)
  if (last === undefined) return false
  // A mark bears the index of its writer's last record: one from before it is a repetition, and may call idle a
  // writer that has come back.
  if (origin.incarnation === last.incarnation)
    return origin.index < last.index || (input.kind === 'internal' && origin.index === last.index)
  if (last.incarnation === unknownIncarnation) return false
  throw tidemarkError(
    'TM_UPSTREAM_RESET',
    `${origin.writer}, seen by ${writer} at offset ${input.place.offset}`,
  )
}

/** Notes where the writer of a record or mark stands after it. */
export function note({ upstreams }: Progress, input: Internal): void {
  const { origin, watermark } = input
  const { incarnation, offset, index } = origin
  const idle = input.kind === 'mark' && input.idle
  const last = upstreams.get(origin.writer)
  if (last === undefined) {
    upstreams.set(origin.writer, {
      incarnation,
      offset,
      index,
      watermark: Math.max(beforeTime, watermark),
      idle,
    })
    return
  }
  last.index = incarnation === last.incarnation ? Math.max(last.index, index) : index
  last.incarnation = incarnation
  last.offset = offset
  last.watermark = Math.max(last.watermark, watermark)
  last.idle = idle
}

/** The task's watermark once a record or mark has been noted. */
export function watermarkWith(
  progress: Progress,
  timekeepers: readonly string[] | 'latest',
  input: Internal,
): EventTime {
  const { origin, watermark } = input
  if (timekeepers === 'latest') return Math.max(progress.watermark, watermark)
  const idle = input.kind === 'mark' && input.idle
  const last = progress.upstreams.get(origin.writer)
  // Almost every record says of time what the one before it said.
  if (last !== undefined && watermark <= last.watermark && !idle && !last.idle) return progress.watermark
  const low = lowest(progress, timekeepers, origin.writer, {
    watermark: Math.max(last?.watermark ?? beforeTime, watermark),
    idle,
  })
  return Math.max(progress.watermark, low ?? beforeTime)
}

/**
 * The minimum over the upstreams that are not idle, when one of them stands elsewhere; undefined while one of them
 * has not spoken yet, and when all are idle.
 */
function lowest(
  { upstreams }: Progress,
  names: readonly string[],
  moved: string,
  standing: Pick<Upstream, 'watermark' | 'idle'>,
): EventTime | undefined {
  let low = endOfTime
  let active = 0
  for (const name of names) {
    const upstream = name === moved ? standing : upstreams.get(name)
    if (upstream === undefined) return undefined
    if (upstream.idle) continue
    active += 1
    if (upstream.watermark < low) low = upstream.watermark
  }
  return active === 0 ? undefined : low
}
