/** A frame of the reference profile, as its JSON holds it. */
export type Frame =
  | { readonly kind: 'numeric'; readonly edges: readonly number[] }
  | { readonly kind: 'categorical'; readonly vocabulary: readonly string[] }

/** The guard cells behind the bins of every frame, in their order. */
export const guards: readonly string[] = [
  ...['below', 'above', 'null', 'nan', 'default', 'unknown', 'invalid', 'stale', 'warming', 'approximate'],
]

const guardOfStatus: Readonly<Record<string, string | undefined>> = {
  default: 'default',
  missing: 'null',
  invalid: 'invalid',
  stale: 'stale',
  warming: 'warming',
  approximate: 'approximate',
}

export function binsOf(frame: Frame): number {
  return frame.kind === 'numeric' ? Math.max(0, frame.edges.length - 1) : frame.vocabulary.length
}

/** The cell of a value with its status: a bin, or a guard cell behind the bins. */
export function cellOf(frame: Frame, value: unknown, status: string): number {
  const guard = (name: string) => binsOf(frame) + guards.indexOf(name)
  const byStatus = guardOfStatus[status]
  if (byStatus !== undefined) return guard(byStatus)
  if (value === null || value === undefined) return guard('null')
  if (frame.kind === 'categorical') {
    const at = frame.vocabulary.indexOf(String(value))
    return at < 0 ? guard('unknown') : at
  }
  if (typeof value !== 'number') return guard('invalid')
  if (!Number.isFinite(value)) return guard('nan')
  const bins = binsOf(frame)
  if (bins < 1 || value > frame.edges[bins]!) return guard('above')
  if (value < frame.edges[0]!) return guard('below')
  return frame.edges.findLastIndex((edge, bin) => bin < bins && edge <= value)
}
