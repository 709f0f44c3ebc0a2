import type { Wake } from '../domain/operator.ts'

const prefix = '~wake/'

/** State keys must sort by time as text, so a time is written with the offset that makes it positive. */
const shift = 8_640_000_000_000_000

/** The timers of one task in (at, key) order: a heap over what is also kept in the state under `~wake/`. */
export interface Wakes {
  /** False when this very wake is already set. */
  add(wake: Wake): boolean
  /** The earliest wake that is due at `watermark`; undefined when none is. */
  peek(watermark: number): Wake | undefined
  /** Removes the earliest wake. */
  drop(): void
  readonly size: number
}

export function wakeKey(wake: Wake): string {
  return `${prefix}${String(wake.at + shift).padStart(17, '0')}/${wake.key}`
}

export const wakePrefix = prefix

export function parseWakeKey(stateKey: string): Wake {
  const slash = prefix.length + 17
  return { at: Number(stateKey.slice(prefix.length, slash)) - shift, key: stateKey.slice(slash + 1) }
}

export function createWakes(stateKeys: Iterable<string> = []): Wakes {
  const known = new Set<string>()
  const heap: string[] = []
  let first: Wake | undefined
  const wakes: Wakes = {
    add(wake) {
      if (!Number.isSafeInteger(wake.at) || wake.at < -shift) {
        throw new Error(`a wake for "${wake.key}" is set to ${wake.at}, which is no time in ms`)
      }
      const key = wakeKey(wake)
      if (known.has(key)) return false
      known.add(key)
      push(heap, key)
      if (heap[0] === key) first = wake
      return true
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
  }
  for (const key of stateKeys) wakes.add(parseWakeKey(key))
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
