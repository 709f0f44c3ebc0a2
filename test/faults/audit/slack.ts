import type { Topology } from '../../../topologies/compiled.ts'

/** How far behind its task's watermark an event may be and still find the windows of its own time. */
export function slackOf({ streams, alignmentMs }: Pick<Topology, 'streams' | 'alignmentMs'>): number {
  return alignmentMs + 2 * Math.max(0, ...Object.values(streams).map(({ latenessMs }) => latenessMs))
}
