import type { FeatureVector } from '../../../services/domain/prediction/vector.ts'

/** A feature vector of event F7 that left ATL. */
export function vectorOf(
  values: FeatureVector['values'],
  statuses: FeatureVector['statuses'] = {},
  id = 'F7',
): FeatureVector {
  return { id, time: 1000, late: false, featureSet: 'set-1', values, statuses, event: { origin: 'ATL' } }
}
