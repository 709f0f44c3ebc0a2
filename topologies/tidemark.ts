/** Everything that a topology file imports from `tidemark`. */
export type { Topology } from './compiled.ts'
export type { Duration } from './duration.ts'
export { type Event, event } from './events.ts'
export { bins, calendar, oneOf } from './expressions.ts'
export { type FeatureSet, feature, featureSet } from './feature-sets.ts'
export { boolean, entity, integer, number, string, timestamp } from './fields.ts'
export { count, last, max, mean, min, share, sum } from './quantities.ts'
export { type TopologyDefinition, topology } from './topology.ts'
