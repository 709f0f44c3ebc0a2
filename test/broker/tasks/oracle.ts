import type { Counted, Order } from './counting.ts'

/** What one undisturbed task writes for its input, worked out again without the runtime. */
export function countedOf(orders: readonly Order[]): Counted[] {
  const counted: Counted[] = []
  const state = new Map<string, { n: number; sum: number }>()
  const timers = new Map<string, { at: number; key: string }>()
  let watermark = Number.NEGATIVE_INFINITY
  for (const { key, time, amount, wakeInMs } of orders) {
    const { n, sum } = state.get(key) ?? { n: 0, sum: 0 }
    state.set(key, { n: n + 1, sum: sum + amount })
    counted.push({ kind: 'count', key, n: n + 1, sum: sum + amount, time })
    if (wakeInMs !== undefined) timers.set(`${time + wakeInMs} ${key}`, { at: time + wakeInMs, key })
    watermark = Math.max(watermark, time)
    const due = [...timers].filter(([, { at }]) => at <= watermark)
    due.sort(([, a], [, b]) => a.at - b.at || (a.key < b.key ? -1 : 1))
    for (const [name, { at, key: woken }] of due) {
      counted.push({ kind: 'wake', key: woken, ...(state.get(woken) ?? { n: 0, sum: 0 }), time: at })
      state.delete(woken)
      timers.delete(name)
    }
  }
  return counted
}

/** The state that is left: by key, and the timers that have not fired. */
export function stateOf(orders: readonly Order[]): { counts: Record<string, number>; timers: string[] } {
  const counts: Record<string, number> = {}
  const timers = new Set<string>()
  const fired = new Set<string>()
  for (const { kind, key, n, time } of countedOf(orders)) {
    if (kind === 'count') counts[key] = n
    else {
      delete counts[key]
      fired.add(`${time} ${key}`)
    }
  }
  for (const { key, time, wakeInMs } of orders)
    if (wakeInMs !== undefined && !fired.has(`${time + wakeInMs} ${key}`))
      timers.add(`${time + wakeInMs} ${key}`)
  return { counts, timers: [...timers].sort() }
}
