import { expect } from 'vitest'
import { until } from '../kafka-support.ts'
import type { Counted, Order } from './counting.ts'
import type { Ground } from './ground.ts'
import { countedOf, stateOf } from './oracle.ts'
import { foldOf } from './reading.ts'

export interface Written extends Counted {
  readonly watermark: number
  readonly origin: { readonly writer: string; readonly incarnation: number; readonly index: number }
}

/** What one partition of the output holds so far; with outputs of their own, that is what one task has written. */
export function writtenTo({ follower, plan }: Ground, partition = 0, from = 0): Written[] {
  return follower
    .of(plan.output.topic, partition)
    .slice(from)
    .map(({ value }) => JSON.parse(String(value)) as Written)
}

/**
 * Waits until a task has written what an undisturbed one writes for these orders, as long as it gets on; throws at
 * the first difference.
 */
export async function caughtUp(field: Ground, orders: readonly Order[], partition = 0): Promise<void> {
  const due = countedOf(orders)
  for (let checked = 0; checked < due.length; ) {
    await until(`output ${checked + 1} of task ${partition}`, () => countOf(field, partition) > checked)
    const written = writtenTo(field, partition, checked)
    expectSame(written, due.slice(checked, checked + written.length))
    checked += written.length
  }
}

function countOf({ follower, plan }: Ground, partition: number): number {
  return follower.of(plan.output.topic, partition).length
}

/**
 * After the services have stopped and everything is read: a task wrote exactly what an undisturbed one writes, in one
 * unbroken order, and its changelog leaves exactly the state that is due.
 */
export function expectUndisturbed(
  field: Ground,
  orders: readonly Order[],
  partition = 0,
): Record<string, string> {
  const { follower, plan } = field
  const written = writtenTo(field, partition)
  expectSame(written, countedOf(orders))
  expect(written.map(({ origin }) => origin.index)).toEqual(written.map((_, at) => at + 1))
  expect(new Set(written.map(({ origin }) => origin.incarnation)).size).toBeLessThanOrEqual(1)

  const { state, checkpoints } = foldOf(follower.of(plan.changelog, partition))
  const positions = checkpoints.map(({ position }) => position)
  expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  expect(checkpoints.at(-1)?.index ?? 0).toBe(written.length)
  expect(new Set(checkpoints.map(({ incarnation }) => incarnation)).size).toBeLessThanOrEqual(1)
  const { counts, timers } = stateOf(orders)
  const own = Object.entries(state).filter(([key]) => !key.startsWith('~'))
  expect(Object.fromEntries(own.map(([key, value]) => [key, JSON.parse(value).n]))).toEqual(counts)
  expect(Object.keys(state).filter((key) => key.startsWith('~wake/'))).toHaveLength(timers.length)
  return state
}

function expectSame(written: readonly Written[], due: readonly Counted[]): void {
  expect(written.map(({ watermark: _, origin: __, pad: ___, ...counted }) => counted)).toEqual(due)
}

/** Keys come again and again, and every third order asks for a wake that comes some orders later. */
export function ordersFrom(first: number, count: number, more: Partial<Order> = {}): Order[] {
  return Array.from({ length: count }, (_, at) => {
    const n = first + at
    return {
      key: `k${n % 7}`,
      time: n * 1000,
      amount: n,
      ...(n % 3 === 0 ? { wakeInMs: 4500 } : {}),
      ...more,
    }
  })
}
