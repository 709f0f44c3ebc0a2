import { describe, expect, it } from 'vitest'
import { until } from '../kafka-support.ts'
import type { Order } from './counting.ts'
import { type Ground, ground, type Here } from './ground.ts'
import { caughtUp, expectUndisturbed, ordersFrom } from './undisturbed.ts'

const partitions = 6

describe('a group of services', () => {
  it('goes on with the tasks that stay while a third member comes and goes, and moves no more than it must', async () => {
    await using field = await ground({ inputs: [partitions], outputs: { partitions, by: 'own' } })
    const feed = startFeed(field)
    // Members hear of a rebalance with a heartbeat, of which a session has six.
    const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '9000' }
    const a = await field.start('a', settings)
    await until('a has all', () => restoredBy(a).length === partitions)
    const b = await field.start('b', settings)
    await until('a and b share', () => restoredBy(b).length === partitions / 2)
    await feed.reached()
    const before = { a: restoredBy(a), b: restoredBy(b) }
    const calmMs = Date.now()
    for (let round = 0; round < 20; round += 1) await feed.reached()
    const fromMs = Date.now()

    const c = await field.start('c', settings)
    await until('c has its share', () => restoredBy(c).length === partitions / 3)
    await feed.reached()
    const moved = restoredBy(c)
    await c.stop()
    await until('c left it to the others', () =>
      moved.every(
        (task) =>
          [...restoredBy(a), ...restoredBy(b)].filter((each) => each === task).length > timesBefore(task),
      ),
    )
    await feed.reached()
    const orders = await feed.stop()
    const stayed = staying(before, moved)
    const gaps = [
      longestGapMs(field, stayed, calmMs, fromMs),
      longestGapMs(field, stayed, fromMs, Date.now()),
    ]
    console.log(
      `longest gap of a task that stayed: ${gaps[0]} ms before, ${gaps[1]} ms during the rebalances`,
    )

    for (const [partition, written] of orders.entries()) await caughtUp(field, written, partition)
    await Promise.all([a.stop(), b.stop()])
    await field.follower.toEnd(field.kafka)
    for (const [partition, written] of orders.entries()) expectUndisturbed(field, written, partition)

    // Nothing was opened or restored but what had to move: a third of all to the new member, and the same back.
    const opened = [...restoredBy(a), ...restoredBy(b), ...restoredBy(c)]
    expect(opened).toHaveLength(partitions + partitions / 2 + 2 * (partitions / 3))
    for (const task of stayed) expect(opened.filter((each) => each === task).length).toBe(timesBefore(task))

    function timesBefore(task: string): number {
      return before.b.includes(task) ? 2 : 1
    }
  })

  it('lets a restarted process take over from its dead predecessor long before the session ends', async () => {
    await using field = await ground({ inputs: [2], outputs: { partitions: 2, by: 'own' } })
    const orders = [ordersFrom(0, 40), ordersFrom(0, 40)]
    const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '120000' }
    const first = field.startProcess('0', { env: settings })
    for (const partition of [0, 1]) await field.write(orders[partition]!.slice(0, 20), { partition })
    for (const partition of [0, 1]) await caughtUp(field, orders[partition]!.slice(0, 20), partition)
    await first.kill()
    for (const partition of [0, 1]) await field.write(orders[partition]!.slice(20), { partition })
    const startedMs = performance.now()
    const second = field.startProcess('0', { env: settings })
    // The patience of this is a quarter of the session.
    for (const partition of [0, 1]) await caughtUp(field, orders[partition]!, partition)
    console.log(`takeover, process start included: ${Math.round(performance.now() - startedMs)} ms`)
    expect(await second.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    for (const partition of [0, 1]) expectUndisturbed(field, orders[partition]!, partition)
  })
})

/** Orders for every partition, one after the other for as long as the test runs. */
function startFeed(field: Ground) {
  const orders: Order[][] = Array.from({ length: partitions }, () => [])
  let stopped = false
  const fed = feed()

  async function feed(): Promise<void> {
    while (!stopped) {
      await Promise.all(
        orders.map((known, partition) => {
          const more = ordersFrom(known.length, 1)
          known.push(...more)
          return field.write(more, { partition })
        }),
      )
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  return {
    /** Everything that was written before the call has come through. */
    reached: async () => {
      const now = orders.map((known) => [...known])
      for (const [partition, known] of now.entries()) await reached(field, known, partition)
    },
    async stop(): Promise<readonly Order[][]> {
      stopped = true
      await fed
      return orders
    },
  }
}

async function reached(field: Ground, orders: readonly Order[], partition: number): Promise<void> {
  const last = orders.at(-1)!
  const passed = () =>
    field.follower
      .of(field.plan.output.topic, partition)
      .some(({ value }) => JSON.parse(String(value)).time >= last.time)
  await until(`task ${partition} is at ${last.time}`, passed)
}

/** The tasks that a service has restored so far, as often as it has. */
function restoredBy({ log }: Here): string[] {
  return log.flatMap(({ msg, task }) => (msg === 'restored' ? [task!] : []))
}

function staying(before: { a: string[]; b: string[] }, moved: readonly string[]): string[] {
  return [...new Set([...before.a, ...before.b])].filter((task) => !moved.includes(task))
}

/** By the time that the writer gave the records. */
function longestGapMs(
  { follower, plan }: Ground,
  tasks: readonly string[],
  fromMs: number,
  toMs: number,
): number {
  const gaps = tasks.flatMap((task) => {
    const times = follower.of(plan.output.topic, Number(task.at(-1))).map(({ timestamp }) => timestamp)
    const later = times.filter((time) => time >= fromMs && time <= toMs)
    return later.map((time, at) => (at === 0 ? 0 : time - later[at - 1]!))
  })
  return Math.max(...gaps)
}
