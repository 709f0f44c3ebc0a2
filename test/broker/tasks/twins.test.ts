import { expect, it } from 'vitest'
import type { Order } from './counting.ts'
import { ground, type Here } from './ground.ts'
import { caughtUp, expectUndisturbed, ordersFrom } from './undisturbed.ts'

it('two deployments that run the same tasks in different groups say so, and still write everything once', async () => {
  await using field = await ground()
  const orders: Order[] = []
  const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '3000' }
  const services = [
    await field.start('a', settings),
    await field.start('b', settings, { plan: { group: `${field.plan.group}-by-mistake` } }),
  ]
  const deadline = performance.now() + 40_000
  while (!services.some(saysContested) && performance.now() < deadline) {
    const more = ordersFrom(orders.length, 10)
    orders.push(...more)
    await field.write(more)
    await caughtUp(field, orders)
  }
  expect(services.some(saysContested)).toBe(true)
  for (const service of services) await service.stop()
  await field.follower.toEnd(field.kafka)
  expectUndisturbed(field, orders)
})

function saysContested({ log }: Here): boolean {
  return log.some(({ code, level }) => code === 'TM_CONTESTED' && level >= 50)
}
