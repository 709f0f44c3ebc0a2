/** The middle value; of an even number of values the lower of the two in the middle, so that it was measured. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** The smallest value that at least `percent` of the values do not exceed. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** Figures are read by people: three digits say all that a shared machine can measure. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
