import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { cleanAtOnce, cleanSeldom } from './cleaning.ts'
import type { Order } from './counting.ts'
import { type Ground, ground } from './ground.ts'
import { follow, type Read } from './reading.ts'
import { readStore } from './stores.ts'
import { caughtUp, expectUndisturbed, ordersFrom } from './undisturbed.ts'

/** Kafka may compact everything but the newest segment, drop tombstones at once, and begins a segment every 100 ms. */
const eager = {
  'segment.ms': '100',
  'min.cleanable.dirty.ratio': '0.001',
  'min.compaction.lag.ms': '0',
  'max.compaction.lag.ms': '1',
  'delete.retention.ms': '0',
}

beforeAll(() => cleanAtOnce(inject('brokers')))
afterAll(() => cleanSeldom(inject('brokers')))

describe('a changelog that Kafka has compacted', () => {
  it('leaves every byte of the state, what was deleted and all timers included', async () => {
    await using field = await ground({ changelogConfigs: eager })
    const orders: Order[] = []
    const run = runner(field, orders)
    await run('0', 300)
    const whole = [...field.follower.of(field.plan.changelog)]
    await compacted(field, async () => run('0', 7))
    rmSync(field.storeFolder('0', 0), { recursive: true })
    const left = await readChangelog(field)
    expect(left.length).toBeLessThan(whole.length / 4)
    await run('0', 30)
    await field.follower.toEnd(field.kafka)
    expect(await readStore(field.storeFolder('0', 0), field.plan)).toEqual(expectUndisturbed(field, orders))
  })

  it('does not bring back what was deleted, in a store that was elsewhere when it was', async () => {
    await using field = await ground({ changelogConfigs: eager })
    const orders: Order[] = []
    const run = runner(field, orders)
    // The old store holds keys and timers; all of them are gone when its instance comes back.
    await run('old', 60)
    await run('new', 60)
    await compacted(field, async () => run('new', 7))
    await run('old', 60)
    await field.follower.toEnd(field.kafka)
    expect(await readStore(field.storeFolder('old', 0), field.plan)).toEqual(expectUndisturbed(field, orders))
  })
})

/** Runs an instance over more orders; keys of each run are its own, so that a later run deletes all of an earlier one's. */
function runner(field: Ground, orders: Order[]) {
  return async (instance: string, count: number): Promise<void> => {
    const service = await field.start(instance)
    // In several commits, so that there is something to compact.
    for (let at = 0; at < count; at += 30) {
      const more = ordersFrom(orders.length, Math.min(30, count - at))
      orders.push(...more)
      await field.write(more)
      await caughtUp(field, orders)
    }
    await service.stop()
  }
}

/** Adds a little now and then, which begins new segments, until of all older records only last values are left. */
async function compacted(field: Ground, add: () => Promise<void>): Promise<void> {
  const end = (await readChangelog(field)).at(-1)!.offset
  for (let round = 0; round < 40; round += 1) {
    await add()
    const left = await readChangelog(field)
    const last = new Map(left.map(({ key, offset }) => [key, offset]))
    const old = left.filter(({ offset }) => offset <= end)
    if (old.every(({ key, offset, value }) => value !== null && last.get(key) === offset)) return
  }
  throw new Error('the changelog was never compacted')
}

async function readChangelog({ kafka, plan }: Ground): Promise<readonly Read[]> {
  const follower = await follow(inject('brokers'), [{ topic: plan.changelog, partitions: 1 }])
  await follower.toEnd(kafka)
  await follower.close()
  return follower.of(plan.changelog)
}
