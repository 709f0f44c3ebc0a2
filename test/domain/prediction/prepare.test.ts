import { describe, expect, it } from 'vitest'
import type { ScoreBatch } from '../../../services/domain/prediction/prepare.ts'
import { checkScore, prepareScores } from '../../../services/domain/prediction/prepare.ts'
import { vectorOf } from './vector.ts'

const inputs = ['a', 'toString']
/** Scores a row by its first input, and keeps what it was asked. */
function model() {
  const asked: number[][] = []
  const scoreBatch: ScoreBatch = async (slab, rows) => {
    asked.push([...slab])
    return Array.from({ length: rows }, (_, row) => slab[row * inputs.length]!)
  }
  return { asked, scoreBatch }
}

describe('scoring a batch before its turns', () => {
  it('asks the model once, about the rows that may be scored, and answers in the order of the vectors', async () => {
    const { asked, scoreBatch } = model()
    const vectors = [
      vectorOf({ a: 0.25, toString: 1 }, {}, 'one'),
      vectorOf({ a: 0.5 }, {}, 'two'),
      vectorOf({ a: true, toString: false }, {}, 'three'),
    ]
    const prepared = await prepareScores(inputs, scoreBatch, vectors)
    expect(asked).toEqual([[0.25, 1, 1, 0]])
    expect(prepared).toEqual([
      { vector: vectors[0], scored: { ok: true, score: 0.25 } },
      { vector: vectors[1], scored: { ok: false, reason: 'invalid-input', detail: 'toString is missing' } },
      { vector: vectors[2], scored: { ok: true, score: 1 } },
    ])
  })

  it('refuses inputs that no model should see, naming the feature and not the value', async () => {
    const refused = [
      [vectorOf({ a: null, toString: 1 }), 'a is missing'],
      [vectorOf({ a: 'x', toString: 1 }), 'a is text'],
      [vectorOf({ a: Number.NaN, toString: 1 }), 'a is not finite'],
      [vectorOf({ a: 1e39, toString: 1 }), 'a is not finite'],
      [vectorOf({ a: 1, toString: 1 }, { a: 'invalid' }), 'a is invalid'],
      [vectorOf({ a: 1, toString: 1 }, { a: 'missing' }), 'a is missing'],
    ] as const
    const { asked, scoreBatch } = model()
    const prepared = await prepareScores(
      inputs,
      scoreBatch,
      refused.map(([vector]) => vector),
    )
    expect(prepared.map(({ scored }) => scored)).toEqual(
      refused.map(([, detail]) => ({ ok: false, reason: 'invalid-input', detail })),
    )
    expect(asked).toEqual([])
  })

  it('scores defaults, stale, warming and approximate values: they are values', async () => {
    const vectors = (['default', 'stale', 'warming', 'approximate'] as const).map((status) =>
      vectorOf({ a: 0.5, toString: 1 }, { a: status }),
    )
    const prepared = await prepareScores(inputs, model().scoreBatch, vectors)
    expect(prepared.every(({ scored }) => scored.ok)).toBe(true)
  })

  it('turns a failing model into a reason, for every row that it was asked about', async () => {
    const fails: ScoreBatch = async () => {
      throw new Error('broken')
    }
    const prepared = await prepareScores(inputs, fails, [vectorOf({ a: 1, toString: 1 }), vectorOf({ a: 1 })])
    expect(prepared.map(({ scored }) => scored)).toEqual([
      { ok: false, reason: 'error', detail: 'broken' },
      { ok: false, reason: 'invalid-input', detail: 'toString is missing' },
    ])
  })

  it('prepares nothing for an empty batch', async () => {
    expect(await prepareScores(inputs, model().scoreBatch, [])).toEqual([])
  })

  it('serves a score only if it is a probability', () => {
    expect([0, 0.5, 1].map((score) => checkScore(score).ok)).toEqual([true, true, true])
    for (const score of [Number.NaN, Number.POSITIVE_INFINITY, -0.001, 1.001, undefined]) {
      expect(checkScore(score)).toMatchObject({ ok: false, reason: 'invalid-output' })
    }
  })
})
