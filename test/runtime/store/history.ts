import type { Change, Store } from '../../../services/runtime/store/store.ts'
import { contentOf } from '../../contract/content.ts'
import { seeded } from '../../domain/report/random.ts'

/** A known sequence of batches: what each holds is a function of the seed and its number, from 1. */
export interface History {
  batch(number: number): Change[]
  /** Everything that a store holds after so many batches. */
  contentAfter(count: number): Record<string, string>
}

/** Which batch was the last one; every batch sets it, as every commit says how far the changelog is in the store. */
const filledKey = '~filled'

const keyCount = 400

/** @param extraBytes makes every value longer, so that LevelDB has more to do */
export function createHistory(seed: number, extraBytes = 0): History {
  function batch(number: number): Change[] {
    const random = seeded(seed * 1_000_003 + number)
    const changes: Change[] = []
    for (let left = 1 + Math.floor(random() * 20); left > 0; left -= 1) {
      const key = `key/${Math.floor(random() * keyCount)}`
      const sizeBytes = extraBytes + (random() < 0.02 ? 9000 : 40 + Math.floor(random() * 120))
      const isRemoved = random() < 0.2
      changes.push([key, isRemoved ? undefined : Buffer.from(`${number} ${key} `.padEnd(sizeBytes, '.'))])
    }
    changes.push([filledKey, Buffer.from(String(number))])
    return changes
  }

  const content = new Map<string, string>()
  let reached = 0
  return {
    batch,
    contentAfter(count) {
      if (count < reached) {
        content.clear()
        reached = 0
      }
      while (reached < count) {
        reached += 1
        for (const [key, value] of batch(reached)) {
          if (value === undefined) content.delete(key)
          else content.set(key, value.toString('latin1'))
        }
      }
      return Object.fromEntries(content)
    },
  }
}

/** Applies the batches from one number to another, both among them. */
export async function applyBatches(store: Store, history: History, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; number += 1) await store.apply(history.batch(number))
}

/** How many batches a store says that it holds. */
export function filledOf(store: Store): number {
  return Number(store.get(filledKey)?.toString() ?? 0)
}

/** What is wrong with a store that claims to hold a prefix of a history, or undefined. */
export async function differenceFrom(store: Store, history: History): Promise<string | undefined> {
  const filled = filledOf(store)
  const expected = history.contentAfter(filled)
  const actual = await contentOf(store)
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)])
  const wrong = [...keys].filter((key) => expected[key] !== actual[key])
  return wrong.length === 0
    ? undefined
    : `${wrong.length} keys are wrong after ${filled} batches: ${wrong[0]}`
}
