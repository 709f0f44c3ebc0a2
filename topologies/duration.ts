import { DefinitionError } from '../services/domain/definition-error.ts'

/** `500ms`, `45s`, `30m`, `24h`, `7d`: a number and a unit. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration in ms. @throws DefinitionError that names `what` it was meant for, unless it is positive and whole. */
export function durationMs(duration: string, what: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) ?? []
  const ms = Math.round(Number(amount) * (unitsMs[unit ?? ''] ?? Number.NaN) * 1_000) / 1_000
  if (!Number.isSafeInteger(ms) || ms <= 0)
    throw new DefinitionError(`${what}: "${duration}" is no duration such as 30m, 24h or 7d`)
  return ms
}

/** The shortest way to write it: 86400000 → `1d`. */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(unitsMs)
    .reverse()
    .find(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
