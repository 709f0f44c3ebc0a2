/**
 * The sum of finite doubles without any rounding but the last one: every double is an integer multiple of 2^-1074,
 * so the sum is one of big integers.
 */
export function exactSum(numbers: readonly number[]): number {
  return toDouble(numbers.reduce((total, number) => total + toInteger(number), 0n))
}

function toInteger(number: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, number)
  const bits = view.getBigUint64(0)
  const exponent = (bits >> 52n) & 0x7ffn
  const fraction = bits & 0xfffffffffffffn
  const size = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n)
  return number < 0 ? -size : size
}

/** Keeps at least the first 60 bits: their rounding to 53 is off by at most the last bit. */
function toDouble(integer: bigint): number {
  const negative = integer < 0n
  const size = negative ? -integer : integer
  const shift = Math.max(0, 4 * size.toString(16).length - 64)
  const scaled = Number(size >> BigInt(shift)) * 2 ** (shift - 1074)
  return negative ? -scaled : scaled
}

/**
 * The same sum in less time: the parts that rounding would drop are carried along exactly, as Shewchuk's adaptive
 * arithmetic does (Discrete & Computational Geometry 18, 1997), so only the last addition rounds.
 */
export function roundedSum(numbers: readonly number[]): number {
  const parts: number[] = []
  for (const number of numbers) {
    let rest = number
    let kept = 0
    for (const part of parts) {
      const [large, small] = Math.abs(rest) < Math.abs(part) ? [part, rest] : [rest, part]
      const sum = large + small
      const lost = small - (sum - large)
      if (lost !== 0) parts[kept++] = lost
      rest = sum
    }
    parts.length = kept
    parts.push(rest)
  }
  return parts.reduceRight((total, part) => total + part, 0)
}
