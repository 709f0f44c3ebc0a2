/** Lanczos coefficients for g = 607/128 (P. Godfrey, "A note on the computation of the convergent Lanczos complex Gamma"). */
const lanczos = [
  0.9999999999999971, 57.15623566586292, -59.59796035547549, 14.136097974741746, -0.4919138160976202,
  3.399464998481189e-5, 4.652362892704858e-5, -9.837447530487956e-5, 0.0001580887032249125,
  -0.00021026444172410488, 0.00021743961811521265, -0.0001643181065367639, 8.441822398385275e-5,
  -2.6190838401581408e-5, 3.6899182659531625e-6,
]

/** ln Γ(x) for x ≥ 1/2, to about 1e-14; below, digits are lost in x − 1. */
export const logGamma = (x: number): number => {
  let sum = lanczos[0]!
  for (let k = 1; k < lanczos.length; k++) sum += lanczos[k]! / (x + k - 1)
  const t = x - 0.5 + 607 / 128
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/**
 * Q(a, x) = Γ(a, x) / Γ(a): the upper tail of the gamma distribution with shape a > 0 at x ≥ 0.
 * Below a + 1 the series of the lower tail converges fast, above it Legendre's continued fraction does
 * (Abramowitz and Stegun 6.5.29 and 6.5.31).
 */
export const upperGamma = (a: number, x: number): number => {
  if (!(x > 0)) return 1
  if (x === Number.POSITIVE_INFINITY) return 0
  const density = Math.exp(a * Math.log(x) - x - logGamma(a))
  return x < a + 1 ? 1 - density * lowerSeries(a, x) : density * upperFraction(a, x)
}

/** P(X > x) for a chi-square variable with `freedom` ≥ 1 degrees of freedom. */
export const chiSquareTail = (x: number, freedom: number): number => upperGamma(freedom / 2, x / 2)

const lowerSeries = (a: number, x: number): number => {
  let term = 1 / a
  let sum = term
  for (let k = 1; k < 10_000 && term > sum * 1e-17; k++) {
    term *= x / (a + k)
    sum += term
  }
  return sum
}

/** Lentz's method; `tiny` keeps the denominators away from zero. */
const upperFraction = (a: number, x: number): number => {
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let k = 1; k < 10_000; k++) {
    const numerator = -k * (k - a)
    b += 2
    d = 1 / nonZero(numerator * d + b, tiny)
    c = nonZero(b + numerator / c, tiny)
    fraction *= d * c
    if (Math.abs(d * c - 1) < 1e-16) break
  }
  return fraction
}

const nonZero = (x: number, tiny: number): number => (Math.abs(x) < tiny ? tiny : x)
