import { describe, expect, it } from 'vitest'
import type { Order } from './counting.ts'
import { ground } from './ground.ts'
import type { ServiceProcess, Step } from './processes.ts'
import { readStore } from './stores.ts'
import { caughtUp, expectUndisturbed, ordersFrom } from './undisturbed.ts'

const commitSteps: readonly Step[] = [
  'before-add-partitions',
  'after-add-partitions',
  'after-produce',
  'at-end-txn',
  'after-store',
  'after-end-txn',
]
/** They come last: the store is then one commit behind, so that there is a tail to be restored. */
const beginningSteps: readonly Step[] = ['after-fence', 'in-restore', 'after-fence']

describe('a service that is killed', () => {
  it('at every step of a commit goes on as if nothing had been', async () => {
    await using field = await ground()
    const orders: Order[] = []
    const lives: ServiceProcess[] = []
    const begin = (step: Step) => {
      const life = field.startProcess('0', { trap: { step, signal: 'SIGKILL' } })
      lives.push(life)
      return life
    }
    const writeMore = async () => {
      const more = ordersFrom(orders.length, 30)
      orders.push(...more)
      await field.write(more)
    }
    await writeMore()
    for (const step of commitSteps) {
      const doomed = begin(step)
      await caughtUp(field, orders)
      await doomed.arm()
      await writeMore()
      expect(await doomed.exited, step).toBe('SIGKILL')
    }
    for (const step of beginningSteps) expect(await begin(step).exited, step).toBe('SIGKILL')

    const last = field.startProcess('0')
    await writeMore()
    await caughtUp(field, orders)
    expect(await last.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    const state = expectUndisturbed(field, orders)
    expect(await readStore(field.storeFolder('0', 0), field.plan)).toEqual(state)
    expectTailsOnly([...lives, last])
  })
})

/** However a store was left, only what the last commit put into the changelog is read again. */
function expectTailsOnly(lives: readonly ServiceProcess[]): void {
  const restored = lives.flatMap(({ log }) => log.filter(({ msg }) => msg === 'restored'))
  // The lives that ended at the fence and inside the restore have not come so far.
  expect(restored).toHaveLength(lives.length - beginningSteps.length)
  // One commit of thirty orders: a record per key and wake, the checkpoint, and the fences of the lives between.
  const most = 7 + 2 * 30 + 1 + 4
  for (const { replayed } of restored) expect(replayed).toBeLessThanOrEqual(most)
  expect(restored.at(-1)?.replayed).toBeLessThan(most)
  const rebuilt = lives.flatMap(({ log }) => log.filter(({ msg }) => msg.includes('rebuilt')))
  expect(rebuilt).toEqual([])
}
