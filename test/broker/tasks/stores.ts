import { checkpointKey } from '../../../services/runtime/changelog.ts'
import { levelStore } from '../../../services/runtime/store/level.ts'
import type { Plan } from './counting.ts'

/** What a closed store holds for its task, without what only the store itself needs. */
export async function readStore(folder: string, plan: Plan, index = 0): Promise<Record<string, string>> {
  const store = await levelStore(folder, `${plan.changelog}/${index}`)
  try {
    const keys = await store.keys('')
    const own = keys.filter((key) => !key.startsWith('~') || key.startsWith('~wake/'))
    return Object.fromEntries(own.map((key) => [key, String(store.get(key))]))
  } finally {
    await store.close()
  }
}

/** The position in the checkpoint that a closed store holds. */
export async function storedPosition(folder: string, plan: Plan, index = 0): Promise<number> {
  const store = await levelStore(folder, `${plan.changelog}/${index}`)
  try {
    return (JSON.parse(String(store.get(checkpointKey))) as { position: number }).position
  } finally {
    await store.close()
  }
}
