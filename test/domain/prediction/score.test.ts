import { describe, expect, it } from 'vitest'
import type { ModelAnswer } from '../../../services/domain/prediction/prepare.ts'
import type { ScoreDefinition } from '../../../services/domain/prediction/score.ts'
import { scoreOperator } from '../../../services/domain/prediction/score.ts'
import { vectorOf } from './vector.ts'

const definition: ScoreDefinition = {
  topology: { name: 'flight-delay', hash: 'hash-of-topology' },
  featureSet: 'set-1',
  model: {
    name: 'late-arrival',
    version: 3,
    sha256: 'hash-of-model',
    inputs: ['share', 'distance'],
    threshold: 0.3,
    fallback: [{ rule: 'share' }, { constant: 0.2 }],
  },
  cells: {
    hash: 'hash-of-profile',
    cellOf: (feature, value, status) =>
      feature === 'distance' ? (status === 'missing' ? 99 : Number(value)) : 5,
    scoreCell: (score) => Math.floor(score * 200),
  },
  segments: {
    hub: ({ origin }) => (origin === 'ATL' ? 'ATL' : 'other'),
    haul: () => null,
  },
  log: ['share', 'absent'],
}
const place = { topic: 'features', partition: 0, offset: 3, timestamp: 0, watermark: 0 }
const modelSays = (score: number): ModelAnswer => ({ ok: true, score })
const modelFails: ModelAnswer = { ok: false, reason: 'invalid-input', detail: 'distance is missing' }

function predict(scored: ModelAnswer, vector = vectorOf({ share: 0.4, distance: 12 })) {
  const turn = scoreOperator(definition).turn({ get: () => undefined }, { vector, scored }, place)
  expect(turn).toMatchObject({ verdict: 'applied', emit: [{ to: 'predictions', key: vector.id }] })
  return turn.emit![0]!.value
}

describe('a prediction', () => {
  it('says which event was scored by what, on which values, with which answer', () => {
    expect(predict(modelSays(0.5))).toEqual({
      predictionId: 'flight-delay/late-arrival/3/F7',
      id: 'F7',
      time: 1000,
      late: false,
      topology: 'flight-delay',
      topologyHash: 'hash-of-topology',
      featureSet: 'set-1',
      model: 'late-arrival',
      modelVersion: 3,
      modelSha256: 'hash-of-model',
      servedBy: 'model',
      fallbackReason: null,
      score: 0.5,
      decision: true,
      threshold: 0.3,
      profile: 'hash-of-profile',
      cells: { __score__: 100, distance: 12, share: 5 },
      statuses: { distance: 'value', share: 'value' },
      values: { absent: null, share: 0.4 },
      segments: { haul: 'unknown', hub: 'ATL' },
    })
  })

  it('decides from the threshold on', () => {
    expect(predict(modelSays(0.3))).toMatchObject({ decision: true })
    expect(predict(modelSays(0.29999))).toMatchObject({ decision: false })
  })

  it('falls back to the rule, and says why', () => {
    expect(predict(modelFails)).toMatchObject({
      servedBy: 'rule',
      score: 0.4,
      decision: true,
      fallbackReason: 'invalid-input: distance is missing',
    })
  })

  it('falls back to the constant when the rule has no answer either', () => {
    for (const share of [null, 1.5, Number.NaN, true, 'much']) {
      expect(predict(modelFails, vectorOf({ share }))).toMatchObject({ servedBy: 'constant', score: 0.2 })
    }
    const invalid = vectorOf({ share: 0.4 }, { share: 'invalid' })
    expect(predict(modelFails, invalid)).toMatchObject({ servedBy: 'constant', score: 0.2 })
  })

  it('does not repeat what a failing model said: it may say it differently next time', () => {
    const answer: ModelAnswer = { ok: false, reason: 'error', detail: 'out of memory at 0x7f' }
    expect(predict(answer)).toMatchObject({ fallbackReason: 'error' })
  })

  it('gives a missing input its status and its guard cell', () => {
    const record = predict(modelFails, vectorOf({ share: 0.4 }))
    expect(record).toMatchObject({ statuses: { distance: 'missing' }, cells: { distance: 99 } })
  })

  it('is refused for a vector of another feature set, with a coded error', () => {
    const vector = { ...vectorOf({ share: 0.4 }), featureSet: 'set-2' }
    expect(() => predict(modelSays(0.5), vector)).toThrow(
      expect.objectContaining({ code: 'TM_FEATURE_SET', message: expect.stringMatching(/set-1.*set-2/) }),
    )
  })

  it('cannot be defined with a fallback that may end without an answer', () => {
    const withFallback = (fallback: ScoreDefinition['model']['fallback']) => () =>
      scoreOperator({ ...definition, model: { ...definition.model, fallback } })
    expect(withFallback([])).toThrow('must end in a constant')
    expect(withFallback([{ constant: 0.1 }, { rule: 'share' }])).toThrow('must end in a constant')
    expect(withFallback([{ constant: 1.1 }])).toThrow('outside 0 to 1')
  })
})
