import { describe, expect, it } from 'vitest'
import { until } from '../kafka-support.ts'
import type { Order } from './counting.ts'
import { codeOf, type Ground, ground } from './ground.ts'
import { countedOf } from './oracle.ts'
import { foldOf } from './reading.ts'
import { caughtUp, expectUndisturbed, ordersFrom, writtenTo } from './undisturbed.ts'

describe('an upstream that writes at least once', () => {
  it('gives the state and the outputs of one that wrote everything once', async () => {
    await using field = await ground({ writers: ['up/0', 'up/1'] })
    const { lines, orders } = twoWriters(60)
    const first = await field.start('0')
    // Each writer begins again from some way back, whatever its reader has made of it.
    for (const [from, to] of [
      [0, 40],
      [10, 60],
      [0, 60],
      [50, 90],
    ] as const)
      await field.write(lines.slice(from, to))
    await caughtUp(field, orders.slice(0, 90))
    await first.stop()
    const second = await field.start('0')
    for (const [from, to] of [
      [0, 90],
      [80, 120],
      [0, 120],
    ] as const)
      await field.write(lines.slice(from, to))
    await caughtUp(field, orders)
    await second.stop()
    await field.follower.toEnd(field.kafka)
    expectUndisturbed(field, orders)
  })

  it('that was reset stops its reader, which has passed over nothing', async () => {
    await using field = await ground({ writers: ['up/0'] })
    const orders = timeless(20)
    const first = await field.start('0')
    await field.write(orders.map((order, at) => internal(order, 'up/0', at + 1, 1)))
    await caughtUp(field, orders)
    // The upstream has lost its state: it counts from the beginning again, under a new incarnation.
    await field.write(orders.map((order, at) => internal(order, 'up/0', at + 1, 2)))
    expect(await codeOf(first)).toBe('TM_UPSTREAM_RESET')
    await first.stop().catch(() => {})
    // Starting again does not cure it.
    const second = await field.start('0')
    expect(await codeOf(second)).toBe('TM_UPSTREAM_RESET')
    await second.stop().catch(() => {})
    await field.follower.toEnd(field.kafka)
    expect(writtenTo(field)).toHaveLength(20)
    expect(foldOf(field.follower.of(field.plan.changelog)).checkpoints.at(-1)?.position).toBe(20)
  })
})

describe('an input', () => {
  it('that no longer holds the position of its task stops it, and the error says the range', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 50)
    const first = await field.start('0')
    await field.write(orders.slice(0, 20))
    await caughtUp(field, orders.slice(0, 20))
    await first.stop()
    await field.write(orders.slice(20))
    await truncate(field, 35)
    const second = await field.start('0')
    expect(await codeOf(second)).toBe('TM_POSITION_LOST')
    await second.running.ended.catch((error: Error) => expect(error.message).toMatch(/\b20\b.*\b35\b/))
    await second.stop().catch(() => {})
    await field.follower.toEnd(field.kafka)
    expect(writtenTo(field)).toHaveLength(countedOf(orders.slice(0, 20)).length)
  })

  it('may begin anywhere for a task that has read nothing yet', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 50)
    await field.write(orders)
    await truncate(field, 35)
    const service = await field.start('0')
    await caughtUp(field, orders.slice(35))
    await service.stop()
  })

  it('is not new to a task that has read only what it had seen before', async () => {
    await using field = await ground({ writers: ['up/0'] })
    const marks = Array.from({ length: 10 }, (_, at) => mark('up/0', at))
    const first = await field.start('0')
    await field.write(marks)
    await positionReached(field, 10)
    await first.stop()
    await field.write(marks)
    await truncate(field, 15)
    const second = await field.start('0')
    expect(await codeOf(second)).toBe('TM_POSITION_LOST')
    await second.stop().catch(() => {})
  })
})

/** Orders without wakes: what a record of an upstream says of event time then changes nothing. */
function timeless(count: number): Order[] {
  return ordersFrom(0, count).map(({ wakeInMs: _, ...order }) => order)
}

function internal(order: Order, writer: string, index: number, incarnation: number) {
  const origin = { writer, incarnation, offset: index - 1, index, time: 0 }
  return { ...order, origin, watermark: order.time }
}

function mark(writer: string, watermark: number) {
  const origin = { writer, incarnation: 1, offset: -1, index: 0, time: 0 }
  return { kind: 'mark', key: '', time: watermark, origin, watermark }
}

/** A journal of two writers in turn, each of which counts its own records. */
function twoWriters(perWriter: number) {
  const orders = timeless(2 * perWriter)
  const lines = orders.map((order, at) =>
    internal(order, `up/${at % 2}`, 1 + Math.floor(at / 2), 1 + (at % 2)),
  )
  return { lines, orders }
}

async function truncate({ kafka, plan }: Ground, beforeOffset: number): Promise<void> {
  const admin = await kafka.admin()
  await admin.deleteRecords({ topic: plan.inputs[0]!.topic, partition: 0 }, beforeOffset)
  await admin.close()
}

async function positionReached({ follower, plan }: Ground, position: number): Promise<void> {
  const reached = () => foldOf(follower.of(plan.changelog)).checkpoints.at(-1)?.position ?? 0
  await until(`the position is ${position}`, () => reached() >= position)
}
