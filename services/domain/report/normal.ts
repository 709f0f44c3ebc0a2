import { upperGamma } from './gamma.ts'

/** P(|Z| > z), two-sided, for a standard normal variable. */
export const normalTwoSided = (z: number): number => upperGamma(0.5, (z * z) / 2)

/** P(Z ≤ z) for a standard normal variable. */
export const normalBelow = (z: number): number => (z > 0 ? 1 - normalTwoSided(z) / 2 : normalTwoSided(z) / 2)

/**
 * The z with P(Z ≤ z) = p, for 0 < p < 1. A rough start (Abramowitz and Stegun 26.2.23, error below 4.5e-4)
 * and Halley steps on the exact distribution, each of which triples the number of right digits.
 */
export const normalQuantile = (p: number): number => {
  if (p <= 0) return Number.NEGATIVE_INFINITY
  if (p >= 1) return Number.POSITIVE_INFINITY
  if (p > 0.5) return -normalQuantile(1 - p)
  let z = roughQuantile(p)
  for (let step = 0; step < 3; step++) {
    const error = (normalBelow(z) - p) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2)
    z -= error / (1 + (z * error) / 2)
  }
  return z
}

const roughQuantile = (p: number): number => {
  const t = Math.sqrt(-2 * Math.log(p))
  const above = 2.515517 + t * (0.802853 + t * 0.010328)
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
  return above / below - t
}
