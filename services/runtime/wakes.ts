import type { Wake } from '../domain/operator.ts'

const prefix = '~wake/'

/** State keys must sort by time as text, so a time is written with the offset that makes it positive. */
const shift = 8_640_000_000_000_000

/** The timers of one task in (at, key) order: a heap over what is also kept in the state under `~wake/`. */
export interface Wakes {
  /** False when this very wake is already set; `far` when it is too far away to be kept here. */
  add(wake: Wake): boolean | 'far'
  /** The earliest wake that is due at `watermark`; undefined when none is. */
  peek(watermark: number): Wake | undefined
  /** Removes the earliest wake. */
  drop(): void
  /** Wakes kept here. */
  readonly size: number
  /** From this time on wakes are only in the state, and have to be loaded; undefined when all are kept here. */
  readonly farAt: number | undefined
  /** Keeps about so many, the earliest; the state must have all of them. */
  shed(limit: number): void
  /** Takes the earliest of the wakes that are only in the state, in order; `isAll` when there are no more. */
  load(stateKeys: readonly string[], isAll: boolean): void
}

export function wakeKey(wake: Wake): string {
  return `${prefix}${String(wake.at + shift).padStart(17, '0')}/${wake.key}`
}

export const wakePrefix = prefix

export function parseWakeKey(stateKey: string): Wake {
  const slash = prefix.length + 17
  return { at: Number(stateKey.slice(prefix.length, slash)) - shift, key: stateKey.slice(slash + 1) }
}

/** The first state key that a wake at this time can have. */
export function wakesFrom(at: number): string {
  return wakeKey({ at, key: '' })
}

export function createWakes(stateKeys: Iterable<string> = []): Wakes {
  const known = new Set<string>()
  let heap: string[] = []
  let first: Wake | undefined
  let farAt: number | undefined

  function keep(key: string): boolean {
    if (known.has(key)) return false
    known.add(key)
    push(heap, key)
    if (heap[0] === key) first = parseWakeKey(key)
    return true
  }

  /** Those of sorted keys that are earlier than the last one: wakes of one time are kept here all, or none. */
  function cut(sorted: readonly string[]): readonly string[] {
    farAt = parseWakeKey(sorted.at(-1)!).at
    const end = wakesFrom(farAt)
    return sorted.slice(
      0,
      sorted.findIndex((key) => key >= end),
    )
  }

  const wakes: Wakes = {
    add(wake) {
      if (!Number.isSafeInteger(wake.at) || wake.at < -shift) {
        throw new Error(`a wake for "${wake.key}" is set to ${wake.at}, which is no time in ms`)
      }
      return farAt !== undefined && wake.at >= farAt ? 'far' : keep(wakeKey(wake))
    },
    peek: (watermark) => (first === undefined || first.at > watermark ? undefined : first),
    drop() {
      if (heap[0] === undefined) return
      known.delete(heap[0])
      pop(heap)
      first = heap[0] === undefined ? undefined : parseWakeKey(heap[0])
    },
    get size() {
      return heap.length
    },
    get farAt() {
      return farAt
    },
    shed(limit) {
      if (heap.length <= 2 * limit) return
      const before = farAt
      const near = cut(heap.sort().slice(0, limit + 1))
      if (near.length === 0) {
        farAt = before
        return
      }
      heap = [...near]
      known.clear()
      for (const key of heap) known.add(key)
    },
    load(keys, isAll) {
      farAt = undefined
      for (const key of isAll ? keys : cut(keys)) keep(key)
    },
  }
  for (const key of stateKeys) keep(key)
  return wakes
}

function push(heap: string[], item: string): void {
  let at = heap.length
  heap.push(item)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= item) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = item
}

function pop(heap: string[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const least = right < heap.length && heap[right]! < heap[left]! ? right : left
    if (heap[least]! >= last) break
    heap[at] = heap[least]!
    at = least
  }
  heap[at] = last
}
