/** A sum and the low-order part that its roundings lost, as plain data. */
export type CompensatedSum = readonly [sum: number, lost: number]

export const noSum: CompensatedSum = [0, 0]

/**
 * Neumaier's improvement of Kahan summation (A. Neumaier, ZAMM 54, 1974): to first order the error does not grow
 * with the number of terms, whatever their order and signs.
 */
export function plus([sum, lost]: CompensatedSum, value: number): CompensatedSum {
  const total = sum + value
  const rounding = Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum
  return [total, lost + rounding]
}

export function together(left: CompensatedSum, right: CompensatedSum): CompensatedSum {
  const [sum, lost] = plus(left, right[0])
  return [sum, lost + right[1]]
}

/** Infinite when the sum left the range of doubles: then the lost part means nothing. */
export function totalOf([sum, lost]: CompensatedSum): number {
  return Number.isFinite(sum) ? sum + lost : sum
}
