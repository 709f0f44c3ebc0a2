import type { Value } from '../event/contract.ts'
import type { FeatureVector } from './vector.ts'
import { featureOf } from './vector.ts'

/**
 * Writes one row of model inputs, in the model's order, as float32 into `slab` from index `at`. Booleans become
 * 0 and 1.
 *
 * @returns why the row may not be scored, or null. The reason names the feature and never its value. A refused row
 * leaves `slab` partly written.
 */
export function encodeInputs(
  inputs: readonly string[],
  vector: FeatureVector,
  slab: Float32Array,
  at: number,
): string | null {
  for (const [column, name] of inputs.entries()) {
    const { value, status } = featureOf(vector, name)
    if (status === 'missing' || status === 'invalid') return `${name} is ${status}`
    const number = numberOf(value)
    if (typeof number === 'string') return `${name} is ${number}`
    slab[at + column] = number
  }
  return null
}

/** A float32 that a model can take, or what is wrong with it. A double beyond float32's range is not finite there. */
function numberOf(value: Value): number | string {
  if (value === null) return 'missing'
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string') return 'text'
  return Number.isFinite(Math.fround(value)) ? value : 'not finite'
}
