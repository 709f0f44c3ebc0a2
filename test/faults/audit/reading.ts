import type { Value } from '../../../services/domain/event/contract.ts'

export interface Circumstance {
  readonly isStale?: boolean
  readonly isAbsent?: boolean
  readonly isWarming?: boolean
}

/** A feature's value and status by definition: the first that holds of stale, invalid, missing, default, warming. */
export function readingOf(
  computed: Value,
  fallback: Value,
  { isStale, isAbsent, isWarming }: Circumstance,
): { readonly value: Value; readonly status: string } {
  const isInvalid = typeof computed === 'number' && !Number.isFinite(computed)
  const known = isInvalid ? null : computed
  const value = known ?? fallback
  const status = isStale
    ? 'stale'
    : isInvalid
      ? 'invalid'
      : isAbsent || value === null
        ? 'missing'
        : known === null
          ? 'default'
          : isWarming
            ? 'warming'
            : 'value'
  return { value: value === 0 ? 0 : value, status }
}
