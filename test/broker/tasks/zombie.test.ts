import { describe, expect, it } from 'vitest'
import { until } from '../kafka-support.ts'
import { ground } from './ground.ts'
import type { ServiceProcess, Step } from './processes.ts'
import { readStore, storedPosition } from './stores.ts'
import { caughtUp, expectUndisturbed, ordersFrom } from './undisturbed.ts'

const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '3000' }

describe('a process that is frozen inside its commit for longer than its session', () => {
  for (const step of ['before-add-partitions', 'after-produce'] satisfies Step[]) {
    it(`at ${step} is fenced when it wakes, writes nothing to its store, and takes its share again`, async () => {
      await using field = await ground({ inputs: [2], outputs: { partitions: 2, by: 'own' } })
      const orders = [0, 1].map(() => ordersFrom(0, 90))
      const write = async (from: number, to: number) => {
        for (const partition of [0, 1]) await field.write(orders[partition]!.slice(from, to), { partition })
      }
      const reach = async (to: number) => {
        for (const partition of [0, 1]) await caughtUp(field, orders[partition]!.slice(0, to), partition)
      }
      const zombie = field.startProcess('zombie', { env: settings, trap: { step, signal: 'SIGSTOP' } })
      await write(0, 30)
      await reach(30)
      await zombie.arm()
      await write(30, 60)
      await until('it is frozen', () => zombie.isStopped)

      const heir = field.startProcess('heir', { env: settings })
      await reach(60)
      process.kill(zombie.pid, 'SIGCONT')
      await until('its commit is refused', () => fencedOf(zombie).length > 0)
      // Both are members again, and each has one of the two tasks.
      await until('they share', () => restoredOf(zombie).length >= 3)
      await write(60, 90)
      await reach(90)
      expect(await zombie.stop()).toBe('0')
      expect(await heir.stop()).toBe('0')
      await field.follower.toEnd(field.kafka)
      const states = [0, 1].map((partition) => expectUndisturbed(field, orders[partition]!, partition))
      for (const partition of [0, 1]) {
        const stores = await Promise.all(
          ['zombie', 'heir'].map((instance) =>
            readStore(field.storeFolder(instance, partition), field.plan, partition),
          ),
        )
        expect(stores).toContainEqual(states[partition])
      }
    })
  }

  it('has not written what was refused to a store that it does not get back', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 60)
    const zombie = field.startProcess('zombie', {
      env: settings,
      trap: { step: 'after-produce', signal: 'SIGSTOP' },
    })
    await field.write(orders.slice(0, 30))
    await caughtUp(field, orders.slice(0, 30))
    await zombie.arm()
    await field.write(orders.slice(30))
    await until('it is frozen', () => zombie.isStopped)
    const heir = field.startProcess('heir', { env: settings })
    await caughtUp(field, orders)
    process.kill(zombie.pid, 'SIGCONT')
    await until('its commit is refused', () => fencedOf(zombie).length > 0)
    expect(await zombie.stop()).toBe('0')
    expect(await heir.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    const state = expectUndisturbed(field, orders)
    expect(await readStore(field.storeFolder('heir', 0), field.plan)).toEqual(state)
    expect(await storedPosition(field.storeFolder('zombie', 0), field.plan)).toBe(30)
  })
})

function fencedOf({ log }: ServiceProcess): unknown[] {
  return log.filter(({ msg }) => msg === 'fenced')
}

function restoredOf({ log }: ServiceProcess): unknown[] {
  return log.filter(({ msg }) => msg === 'restored')
}
