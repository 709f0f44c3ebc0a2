import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { memoryStore } from '../../../services/runtime/store/memory.ts'
import type { Store } from '../../../services/runtime/store/store.ts'
import { contentOf, put } from '../../contract/content.ts'
import { storeContract } from '../../contract/store.ts'
import { createHistory, differenceFrom, filledOf } from './history.ts'

// Opening forces files to the disk, which may be busy with other things.
vi.setConfig({ testTimeout: 60_000 })

const identity = 'changelog/0'
const scratch = mkdtempSync(join(tmpdir(), 'tidemark-store-'))
afterAll(() => rmSync(scratch, { recursive: true }))

let stores = 0
function newFolder(): string {
  stores += 1
  return join(scratch, 'not', 'yet', 'there', String(stores))
}

/** Small enough for sweeps within a short test, large enough for batches that go into the log. */
const tiny = { overlayBytes: 12_000, logBytes: 9000 }

storeContract({ name: 'memory', open: async () => memoryStore() })
for (const [name, options] of [
  ['level', {}],
  ['busy level', tiny],
] as const) {
  const folders = new WeakMap<Store, string>()
  const openIn = async (folder: string) => {
    const store = await levelStore(folder, identity, options)
    folders.set(store, folder)
    return store
  }
  storeContract({
    name,
    open: () => openIn(newFolder()),
    reopen: async (store) => {
      await store.close()
      return openIn(folders.get(store)!)
    },
  })
}

describe('a level store', () => {
  it('has everything again when it is opened again', async () => {
    const folder = newFolder()
    const first = await levelStore(folder, identity)
    await first.apply([put('a', '1'), put('b', '2')])
    await first.apply([['a', undefined]])
    await first.close()
    const second = await levelStore(folder, identity)
    expect(await contentOf(second)).toEqual({ b: '2' })
    await second.close()
  })

  it('shows what is being swept, and on top of it what was applied meanwhile', async () => {
    const store = await levelStore(newFolder(), identity, { overlayBytes: 1000 })
    const large = 'x'.repeat(300)
    const applied = [
      // Large enough to be swept at once; the others are not.
      store.apply([put('a', large), put('b', large)]),
      store.apply([['b', undefined]]),
      store.apply([put('c', '2')]),
    ]
    expect(store.get('a')?.toString()).toBe(large)
    expect(store.get('b')).toBeUndefined()
    expect(store.pendingBytes).toBeGreaterThan(600)
    expect(await store.keys('')).toEqual(['a', 'c'])
    await Promise.all(applied)
    expect(store.pendingBytes).toBeLessThan(600)
    expect(await contentOf(store)).toEqual({ a: large, c: '2' })
    await store.close()
  })

  it('writes in the order of the calls, however many are on their way', async () => {
    const folder = newFolder()
    const first = await levelStore(folder, identity, tiny)
    const history = createHistory(1)
    await Promise.all(Array.from({ length: 400 }, (_, at) => first.apply(history.batch(at + 1))))
    await first.close()
    const second = await levelStore(folder, identity, tiny)
    expect(second.damage).toBeUndefined()
    expect(filledOf(second)).toBe(400)
    expect(await differenceFrom(second, history)).toBeUndefined()
    await second.close()
  })

  it('is nobody else’s while it is open', async () => {
    const folder = newFolder()
    const first = await levelStore(folder, identity)
    await expect(levelStore(folder, identity)).rejects.toMatchObject({ code: 'TM_STORE' })
    await first.close()
  })

  it('that cannot be opened says so with its code and its folder', async () => {
    const file = join(scratch, 'a-file')
    writeFileSync(file, '')
    await expect(levelStore(join(file, 'state'), identity)).rejects.toMatchObject({
      code: 'TM_STORE',
      message: expect.stringContaining(join(file, 'state')),
    })
  })
})

it('a memory store has applied a batch before apply returns: runs in memory do not wait', () => {
  const store = memoryStore()
  void store.apply([put('a', '1')])
  expect(store.get('a')?.toString()).toBe('1')
})
