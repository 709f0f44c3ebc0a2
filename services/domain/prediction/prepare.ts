import { encodeInputs } from './input.ts'
import type { FeatureVector } from './vector.ts'

/** Why the model did not serve. */
export type FallbackReason = 'invalid-input' | 'invalid-output' | 'timeout' | 'error'

export type ModelAnswer =
  | { readonly ok: true; readonly score: number }
  | { readonly ok: false; readonly reason: FallbackReason; readonly detail: string }

/** A vector and what the model said to it: the input of the score operator. */
export interface PreparedScore {
  readonly vector: FeatureVector
  readonly scored: ModelAnswer
}

/** A model as scoring needs it: `rows` rows of inputs, one after another in `slab`, to one score each. */
export type ScoreBatch = (slab: Float32Array, rows: number) => Promise<ArrayLike<number>>

/**
 * Asks the model about a whole batch before the turns begin. Rows that may not be scored are left out of the
 * model's batch; a model that fails, fails for the rows it was asked about and for no other. It never rejects.
 */
export async function prepareScores(
  inputs: readonly string[],
  scoreBatch: ScoreBatch,
  vectors: readonly FeatureVector[],
): Promise<PreparedScore[]> {
  const slab = new Float32Array(vectors.length * inputs.length)
  const refusals: (string | null)[] = []
  let rows = 0
  for (const vector of vectors) {
    const refusal = encodeInputs(inputs, vector, slab, rows * inputs.length)
    if (refusal === null) rows += 1
    refusals.push(refusal)
  }
  const answers = await ask(scoreBatch, slab.subarray(0, rows * inputs.length), rows)
  let row = 0
  return vectors.map((vector, index) => {
    const refusal = refusals[index] ?? null
    if (refusal !== null) return { vector, scored: { ok: false, reason: 'invalid-input', detail: refusal } }
    return { vector, scored: answers(row++) }
  })
}

async function ask(
  scoreBatch: ScoreBatch,
  slab: Float32Array,
  rows: number,
): Promise<(row: number) => ModelAnswer> {
  if (rows === 0) return () => ({ ok: false, reason: 'error', detail: 'no row' })
  try {
    const scores = await scoreBatch(slab, rows)
    return (row) => checkScore(scores[row])
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return () => ({ ok: false, reason: 'error', detail })
  }
}

/** A score is a probability; anything else is not served. */
export function checkScore(score: number | undefined): ModelAnswer {
  if (score === undefined) return { ok: false, reason: 'invalid-output', detail: 'no score' }
  if (!Number.isFinite(score)) return { ok: false, reason: 'invalid-output', detail: 'not finite' }
  if (score < 0 || score > 1) return { ok: false, reason: 'invalid-output', detail: 'outside 0 to 1' }
  return { ok: true, score }
}
