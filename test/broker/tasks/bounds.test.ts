import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { until } from '../kafka-support.ts'
import type { Order } from './counting.ts'
import { codeOf, ground } from './ground.ts'
import type { ServiceProcess } from './processes.ts'
import { foldOf } from './reading.ts'
import { caughtUp, expectUndisturbed, ordersFrom, writtenTo } from './undisturbed.ts'

const mebi = 1024 * 1024

describe('a backlog of 200 MB', () => {
  it('goes through topics that take 1 MiB at a time, in memory that does not grow with it', async () => {
    await using field = await ground()
    const count = 400
    // Slow enough that fetching could run ahead of the turns.
    const orders: Order[] = ordersFrom(0, count).map((order) => ({
      ...order,
      outputChars: 100_000,
      blockMs: 25,
    }))
    // What makes them large is not looked at by anybody.
    const ballast = 'x'.repeat(500_000)
    for (const order of orders) await field.write([{ ...order, ballast }])
    const service = field.startProcess('0')
    await caughtUp(field, orders)
    const peakBytes = peakOf(service)
    expect(await service.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    expectUndisturbed(field, orders)
    expect(service.log.filter(({ msg }) => msg === 'starting again')).toEqual([])
    console.log(`peak memory with a backlog of 200 MB: ${Math.round(peakBytes / mebi)} MiB`)
    expect(peakBytes).toBeLessThan(240 * mebi)
  })
})

describe('a record that is larger than its topic takes', () => {
  for (const [what, large] of [
    ['output', { outputChars: 1_500_000 }],
    ['state', { stateChars: 1_500_000 }],
  ] as const) {
    it(`stops the service with a code as ${what}, and nothing of its turn is there`, async () => {
      await using field = await ground()
      const orders = ordersFrom(0, 10)
      const service = await field.start('0')
      await field.write(orders)
      await caughtUp(field, orders)
      await field.write([{ ...orders[9]!, ...large }])
      expect(await codeOf(service)).toBe('TM_REFUSED')
      await service.running.ended.catch((error: Error) => expect(error.message).toMatch(/MESSAGE_TOO_LARGE/))
      await service.stop()
      await field.follower.toEnd(field.kafka)
      expectUndisturbed(field, orders)
      expect(foldOf(field.follower.of(field.plan.changelog)).checkpoints.at(-1)?.position).toBe(10)
    })
  }
})

describe('slow turns', () => {
  it('cost nobody the membership: heartbeats go on between them', async () => {
    await using field = await ground({ inputs: [2], outputs: { partitions: 2, by: 'own' } })
    const env = { TIDEMARK_SESSION_TIMEOUT_MS: '6000' }
    const slow = field.startProcess('slow', { env })
    const other = field.startProcess('other', { env })
    await until(
      'both have one task',
      () => restoredBy(slow) >= 1 && restoredBy(other) >= 1 && restoredBy(slow) + restoredBy(other) >= 2,
    )
    // Whoever has which partition, six turns in one batch take longer than the session.
    const orders = [0, 1].map(() => ordersFrom(0, 6).map((order) => ({ ...order, blockMs: 1_500 })))
    const before = [restoredBy(slow), restoredBy(other)]
    for (const partition of [0, 1]) await field.write(orders[partition]!, { partition })
    for (const partition of [0, 1]) await caughtUp(field, orders[partition]!, partition)
    expect([restoredBy(slow), restoredBy(other)]).toEqual(before)
    for (const { log } of [slow, other]) expect(log.filter(({ level }) => level >= 40)).toEqual([])
    for (const service of [slow, other]) expect(await service.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    for (const partition of [0, 1]) expectUndisturbed(field, orders[partition]!, partition)
    expect(writtenTo(field)).toHaveLength(writtenTo(field, 1).length)
  })
})

function restoredBy({ log }: ServiceProcess): number {
  return log.filter(({ msg }) => msg === 'restored').length
}

/** The most memory that a process has ever held. */
function peakOf({ pid }: ServiceProcess): number {
  const [, kibi] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kibi) * 1024
}
