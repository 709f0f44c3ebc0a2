import { DefinitionError } from '../definition-error.ts'
import type { FeatureVector } from './vector.ts'
import { featureOf } from './vector.ts'

/** What answers when the model does not: the value of a feature, or a constant. */
export type FallbackStep = { readonly rule: string } | { readonly constant: number }

export interface FallbackScore {
  readonly servedBy: 'rule' | 'constant'
  readonly score: number
}

/**
 * The chain in order; the first step with an answer serves. A rule answers when its feature is present and lies
 * within 0 to 1.
 *
 * @throws DefinitionError when the chain does not end in a constant within 0 to 1: then it could end without answer.
 */
export function compileFallback(
  model: string,
  steps: readonly FallbackStep[],
): (vector: FeatureVector) => FallbackScore {
  const last = steps.at(-1)
  if (last === undefined || !('constant' in last)) {
    throw new DefinitionError(`model ${model}: the fallback must end in a constant`)
  }
  const outside = steps.find((step) => 'constant' in step && !isProbability(step.constant))
  if (outside) throw new DefinitionError(`model ${model}: a fallback constant lies outside 0 to 1`)
  return (vector) => {
    for (const step of steps) {
      const score = 'constant' in step ? step.constant : ruleScore(vector, step.rule)
      if (score !== null) return { servedBy: 'constant' in step ? 'constant' : 'rule', score }
    }
    return { servedBy: 'constant', score: last.constant }
  }
}

function ruleScore(vector: FeatureVector, feature: string): number | null {
  const { value, status } = featureOf(vector, feature)
  if (status === 'missing' || status === 'invalid') return null
  return isProbability(value) ? value : null
}

function isProbability(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1
}
