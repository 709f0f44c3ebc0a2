import { expect, inject, it } from 'vitest'
import { benchCommit } from '../bench/commit.ts'
import { benchRestart } from '../bench/restart.ts'
import { benchSoak } from '../bench/soak.ts'

/** What a bench measures is for people; that it still measures is for this test. */
const bed = { brokers: inject('brokers'), registry: inject('registry'), say: () => {} }

it('the bench of commits runs both sides over the same records', async () => {
  const result = await benchCommit(bed, { records: 3_000, rounds: 1, keys: 100, perTransaction: 1_000 })
  expect(result).toMatchObject({ records: 3_000, rounds: 1 })
  for (const figure of ['ratio', 'oursMicros', 'rawMicros', 'rawAvroMicros', 'commitP99Ms'] as const)
    expect(result[figure]).toBeGreaterThan(0)
})

it('the bench of restarts names every phase, and restores every key', async () => {
  const result = await benchRestart(bed, { keys: 2_000, kills: 1 })
  expect(Object.keys(result.phasesMs)).toHaveLength(9)
  expect(result.fullRestore.records).toBeGreaterThanOrEqual(2_000)
})

it('the soak samples the memory on the way', async () => {
  const { samples } = await benchSoak(bed, { records: 150_000, keys: 100, sampleEvery: 50_000 })
  expect(samples.map(({ records }) => Math.floor(records / 50_000))).toEqual([1, 2, 3])
})
