import type { Change, Store } from '../../services/runtime/store/store.ts'

export function put(key: string, value: string): Change {
  return [key, Buffer.from(value)]
}

/** Everything in a store, as text with a character per byte. */
export async function contentOf(store: Store): Promise<Record<string, string>> {
  const all = await store.keys('')
  return Object.fromEntries(all.map((key) => [key, store.get(key)!.toString('latin1')]))
}
