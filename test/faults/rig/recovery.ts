import type { Commits } from '../preload/protocol.ts'

/**
 * How long a killed process is missed: from its kill to the moment when the last of its tasks has committed again, in
 * whatever process. Its tasks are those that committed in the two seconds before; an idle task is not waited for. A
 * kill whose tasks are killed again before that counts from the later kill only. Everything else that is broken at
 * the time (brokers, connections) is part of the figure.
 */
export interface Recoveries {
  /** Resolves when the tasks have committed again. */
  killed(ids: Iterable<string>, atMs: number): Promise<void>
  committed(commits: readonly Commits[]): void
  readonly seconds: readonly number[]
}

interface Open {
  readonly atMs: number
  readonly waiting: Set<string>
  readonly done: () => void
  lastMs: number
}

export function createRecoveries(): Recoveries {
  const open = new Set<Open>()
  const seconds: number[] = []
  return {
    seconds,
    killed(ids, atMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiting = new Set(ids)
      for (const earlier of open) {
        if (![...waiting].some((id) => earlier.waiting.has(id))) continue
        for (const id of earlier.waiting) waiting.add(id)
        open.delete(earlier)
        void promise.then(earlier.done)
      }
      if (waiting.size === 0) resolve()
      else open.add({ atMs, waiting, done: resolve, lastMs: atMs })
      return promise
    },
    committed(commits) {
      for (const each of open) {
        for (const { id, firstMs, lastMs } of commits) {
          if (lastMs <= each.atMs || !each.waiting.delete(id)) continue
          each.lastMs = Math.max(each.lastMs, firstMs > each.atMs ? firstMs : lastMs)
        }
        if (each.waiting.size > 0) continue
        open.delete(each)
        seconds.push((each.lastMs - each.atMs) / 1_000)
        each.done()
      }
    },
  }
}

/** The tasks that a process had until a moment ago. */
export function heldTasks(commits: ReadonlyMap<string, number>, atMs: number): string[] {
  return [...commits].filter(([, lastMs]) => lastMs >= atMs - 2_000).map(([id]) => id)
}

export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? null
}
