import { resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Topology } from '../../topologies/compiled.ts'
import { refusedChanges } from '../../topologies/evolution.ts'
import { loadTopology } from '../../topologies/load.ts'

let topology: Topology

beforeAll(async () => {
  topology = (await loadTopology(resolve(import.meta.dirname, '../../topologies/flight-delay'))).topology
})

describe('a change of an applied topology', () => {
  it('of nothing is none', () => {
    expect(refusedChanges(topology, structuredClone(topology))).toEqual([])
  })

  it('of owner, alignment, segments, log and thresholds can be applied in place', () => {
    const [model] = topology.models
    const changed: Topology = {
      ...topology,
      owner: 'somebody-else@example.org',
      alignmentMs: 60_000,
      segments: {},
      log: [],
      models: [{ ...model!, threshold: 0.5 }],
      monitors: { ...topology.monitors, critical: [] },
    }
    expect(refusedChanges(topology, changed)).toEqual([])
  })

  it('of a model needs a new version of the model', () => {
    const [model] = topology.models
    const retrained = { ...model!, sha256: 'f'.repeat(64) }
    expect(refusedChanges(topology, { ...topology, models: [retrained] })).toEqual([
      'model late-arrival without a new version after 1',
    ])
    expect(refusedChanges(topology, { ...topology, models: [{ ...retrained, version: 2 }] })).toEqual([])
  })

  it('of what state means is refused by name', () => {
    const { hour: _, ...features } = topology.features
    const changed: Topology = {
      ...topology,
      version: 2,
      late: 'drop',
      features,
      label: { ...topology.label, horizonMs: 1 },
      monitors: { ...topology.monitors, windowMs: 86_400_000 },
    }
    expect(refusedChanges(topology, changed)).toEqual([
      'version',
      'late',
      'label',
      'monitors.window',
      'feature hour',
    ])
  })

  it('of a description of a feature changes no meaning', () => {
    const hour = { ...topology.features['hour']!, description: 'said better' }
    expect(refusedChanges(topology, { ...topology, features: { ...topology.features, hour } })).toEqual([])
  })
})
