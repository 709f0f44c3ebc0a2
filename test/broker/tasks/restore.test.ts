import { cpSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { until } from '../kafka-support.ts'
import type { Order } from './counting.ts'
import { type Ground, ground, type Here } from './ground.ts'
import { countedOf } from './oracle.ts'
import { readStore } from './stores.ts'
import { caughtUp, expectUndisturbed, ordersFrom, writtenTo } from './undisturbed.ts'

describe('a store', () => {
  it('that was deleted is rebuilt whole', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 90)
    await runOnce(field, orders.slice(0, 60), orders.slice(0, 60))
    rmSync(field.storeFolder('0', 0), { recursive: true })
    const end = await endOf(field)
    const [restored] = await runOnce(field, orders.slice(60), orders)
    await field.follower.toEnd(field.kafka)
    const whole = field.follower.of(field.plan.changelog).filter(({ offset }) => offset < end)
    // A fence of its own may come after them.
    expect(restored?.replayed).toBeGreaterThanOrEqual(whole.length)
    expect(await readStore(field.storeFolder('0', 0), field.plan)).toEqual(expectUndisturbed(field, orders))
  })

  it('of another task is not believed, though it ends at the same offset', async () => {
    await using field = await ground()
    await using other = await ground()
    const orders = ordersFrom(0, 60)
    const others = ordersFrom(0, 60, { amount: 1_000_000 })
    await runOnce(field, orders.slice(0, 30), orders.slice(0, 30))
    await runOnce(other, others, others)
    await lengthen(field, await endOf(other))
    rmSync(field.storeFolder('0', 0), { recursive: true })
    cpSync(other.storeFolder('0', 0), field.storeFolder('0', 0), { recursive: true })
    const [, said] = await runOnce(field, orders.slice(30), orders)
    expect(said).toBe(true)
    await field.follower.toEnd(field.kafka)
    expect(await readStore(field.storeFolder('0', 0), field.plan)).toEqual(expectUndisturbed(field, orders))
  })

  it('of a changelog that was made anew is not believed, and readers can tell the two lives apart', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 40)
    await runOnce(field, orders.slice(0, 30), orders.slice(0, 30))
    const before = writtenTo(field)
    await recreate(field)
    // Nothing is left of the task's state, so it begins its input again, in a new incarnation.
    const service = await field.start('0')
    await field.write(orders.slice(30))
    const due = countedOf(orders)
    await until('all is written again', () => writtenTo(field).length >= before.length + due.length)
    await service.stop()
    const after = writtenTo(field).slice(before.length)
    expect(after.map(({ n, sum, time }) => [n, sum, time])).toEqual(
      due.map(({ n, sum, time }) => [n, sum, time]),
    )
    expect(after.map(({ origin }) => origin.index)).toEqual(after.map((_, at) => at + 1))
    expect(new Set(after.map(({ origin }) => origin.incarnation)).size).toBe(1)
    expect(after[0]!.origin.incarnation).toBeGreaterThan(before[0]!.origin.incarnation)
    expect(saysRebuilt(service)).toBe(true)
  })

  it('of an earlier life of the same changelog is not believed, though both have a checkpoint at the same offset', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 40)
    // All there from the beginning, so that each life reads it at once and makes one commit of it.
    await field.write(orders.slice(0, 30))
    const due = countedOf(orders.slice(0, 30)).length
    await runUntil(field, due)
    const store = field.storeFolder('0', 0)
    cpSync(store, `${store}-before`, { recursive: true })
    const end = await endOf(field)
    await recreate(field)
    rmSync(store, { recursive: true })
    await runUntil(field, 2 * due)
    expect(await endOf(field)).toBe(end)
    rmSync(store, { recursive: true })
    cpSync(`${store}-before`, store, { recursive: true })
    await field.write(orders.slice(30))
    const service = await runUntil(field, due + countedOf(orders).length)
    const lives = writtenTo(field).map(({ origin }) => origin.incarnation)
    expect(new Set(lives.slice(0, due)).size).toBe(1)
    expect(new Set(lives.slice(due))).toEqual(new Set([lives.at(-1)]))
    expect(lives.at(-1)).toBeGreaterThan(lives[0]!)
    expect(saysRebuilt(service)).toBe(true)
  })
})

async function runUntil(field: Ground, outputs: number): Promise<Here> {
  const service = await field.start('0')
  await until(`there are ${outputs} outputs`, () => writtenTo(field).length >= outputs)
  await service.stop()
  return service
}

/** Runs a service over more orders until everything is done, and stops it. What its restore said comes back. */
async function runOnce(
  field: Ground,
  more: readonly Order[],
  all: readonly Order[],
  instance = '0',
): Promise<[restored: Here['log'][number] | undefined, saidRebuilt: boolean]> {
  const service = await field.start(instance)
  await field.write(more)
  await caughtUp(field, all)
  await service.stop()
  return [service.log.find(({ msg }) => msg === 'restored'), saysRebuilt(service)]
}

/** A store that is given up is never given up in silence. */
function saysRebuilt({ log }: Here): boolean {
  return log.some(({ msg, level }) => msg.includes('rebuilt') && level >= 40)
}

async function endOf({ kafka, plan }: Ground): Promise<number> {
  const fetcher = await kafka.fetcher()
  const ends = await fetcher.endOffsets([{ topic: plan.changelog, partition: 0 }], 'uncommitted')
  await fetcher.close()
  return ends.get(`${plan.changelog}/0`)!
}

/** Puts tombstones that say nothing behind a changelog until it ends at an offset. */
async function lengthen(field: Ground, end: number): Promise<void> {
  const count = end - (await endOf(field))
  const records = Array.from({ length: count }, () => ({ key: Buffer.from('~nothing'), value: null }))
  const writer = await field.kafka.plainWriter()
  await writer.write([{ topic: field.plan.changelog, partition: 0, records }])
  await writer.close()
  expect(await endOf(field)).toBe(end)
}

async function recreate({ kafka, plan }: Ground): Promise<void> {
  const admin = await kafka.admin()
  await admin.deleteTopics([plan.changelog])
  for (let made: string[] = []; made.length === 0; ) {
    // A broker forgets a topic a moment after it was told to.
    made = await admin
      .createTopics([{ topic: plan.changelog, partitions: 1, configs: { 'cleanup.policy': 'compact' } }])
      .catch(() => [])
  }
  await admin.close()
}
