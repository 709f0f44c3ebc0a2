import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Change, Store } from '../../services/runtime/store/store.ts'
import { contentOf, put } from './content.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Keys that a store may confuse or sort wrongly: prefixes of each other, beyond ASCII, and beyond UTF-16's order. */
const keys = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'b', 'é', '｡', '😀', '~wake/00001/a', '~checkpoint']

/** A kind of store. */
export interface StoreKind {
  readonly name: string
  /** Opens an empty store; the suite closes it. */
  open(): Promise<Store>
  /** Closes a store and opens it again; a kind that forgets has none. */
  readonly reopen?: (store: Store) => Promise<Store>
}

/** What every store must do, whatever it is made of. */
export function storeContract({ name, open, reopen = async (store) => store }: StoreKind): void {
  describe(`a ${name} store`, () => {
    let store: Store

    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    keepsValues(() => store)
    keepsKeys(() => store)

    it(`does what a map does, whenever it is asked, cleared, checked or opened again (seed ${seed})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          await store.clear()
          const map = new Map<string, string>()
          for (const each of steps) {
            if (each.do === 'reopen') store = await reopen(store)
            else await take(store, map, each)
          }
          expect(await contentOf(store)).toEqual(Object.fromEntries(map))
          expect(await store.check()).toBeUndefined()
          expect(store.damage).toBeUndefined()
        }),
        { seed, numRuns: 60 },
      )
    })
  })
}

function keepsValues(store: () => Store): void {
  it('has nothing at first', async () => {
    expect(store().get('a')).toBeUndefined()
    expect(await store().keys('')).toEqual([])
  })

  it('gives back what was applied, byte by byte, an empty value too', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 0])
    await store().apply([
      ['bytes', bytes],
      ['empty', Buffer.alloc(0)],
    ])
    expect(store().get('bytes')).toEqual(bytes)
    expect(store().get('empty')).toEqual(Buffer.alloc(0))
  })

  it('replaces and removes; the last change of a key in a batch counts', async () => {
    await store().apply([put('a', 'old'), put('b', 'stays'), put('c', 'goes')])
    await store().apply([put('a', 'new'), ['c', undefined], ['absent', undefined]])
    await store().apply([put('d', 'first'), ['d', undefined], put('e', 'first'), put('e', 'second')])
    expect(await contentOf(store())).toEqual({ a: 'new', b: 'stays', e: 'second' })
  })

  it('takes an empty batch, and a batch from a generator', async () => {
    await store().apply([])
    await store().apply(
      (function* () {
        yield put('a', '1')
      })(),
    )
    expect(await contentOf(store())).toEqual({ a: '1' })
  })
}

function keepsKeys(store: () => Store): void {
  it('lists keys by prefix in the order of their bytes', async () => {
    await store().apply(keys.map((key) => put(key, key)))
    expect(await store().keys('a/')).toEqual(['a/', 'a/1', 'a/10', 'a/2'])
    expect(await store().keys('')).toEqual(keys.toSorted(byBytes))
    expect(await store().keys('none')).toEqual([])
    expect(await store().keys('a/', { from: 'a/1', limit: 2 })).toEqual(['a/1', 'a/10'])
    expect(await store().keys('a/', { from: 'a/11' })).toEqual(['a/2'])
    expect(await store().keys('', { limit: 1 })).toEqual(keys.toSorted(byBytes).slice(0, 1))
  })

  it('forgets everything when it is cleared, and can be filled again', async () => {
    await store().apply([put('a', '1'), put('~checkpoint', '2')])
    await store().clear()
    expect(await contentOf(store())).toEqual({})
    await store().apply([put('a', '3')])
    expect(await contentOf(store())).toEqual({ a: '3' })
  })

  it('shows what it was given from the call on, in whatever order calls come back', async () => {
    const first = store().apply([put('a', '1'), put('b', '1')])
    const second = store().apply([put('a', '2'), ['b', undefined]])
    expect(store().get('a')?.toString()).toBe('2')
    expect(await store().keys('')).toEqual(['a'])
    await Promise.all([first, second])
    expect(await contentOf(store())).toEqual({ a: '2' })
  })

  it('finds nothing wrong with itself, and says how much of it is still in memory', async () => {
    expect(store().damage).toBeUndefined()
    await store().apply([put('a', '1')])
    expect(await store().check()).toBeUndefined()
    expect(store().pendingBytes).toBeGreaterThanOrEqual(0)
  })
}

type Step =
  | { readonly do: 'apply'; readonly changes: readonly Change[] }
  | { readonly do: 'list'; readonly prefix: string }
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'clear' | 'check' | 'reopen' }

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.oneof(fc.constantFrom(...keys), fc.string({ unit: 'binary', maxLength: 4 })),
  fc.option(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    { nil: undefined },
  ),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('apply' as const), changes: fc.array(change) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('list' as const), prefix: fc.constantFrom(...keys, '') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('get' as const), key: fc.constantFrom(...keys) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'check' as const }, { do: 'clear' as const }) },
)

/** Does a step on a store and on the map that says what the store must do. */
async function take(store: Store, map: Map<string, string>, step: Step): Promise<void> {
  if (step.do === 'apply') {
    await store.apply(step.changes)
    for (const [key, value] of step.changes) {
      if (value === undefined) map.delete(key)
      else map.set(key, value.toString('latin1'))
    }
  } else if (step.do === 'list') {
    const listed = [...map.keys()].filter((key) => key.startsWith(step.prefix)).sort(byBytes)
    expect(await store.keys(step.prefix)).toEqual(listed)
    const half = Math.floor(listed.length / 2)
    if (half > 0) {
      const range = { from: listed[half]!, limit: half }
      expect(await store.keys(step.prefix, range)).toEqual(listed.slice(half, 2 * half))
    }
  } else if (step.do === 'get') {
    expect(store.get(step.key)?.toString('latin1')).toBe(map.get(step.key))
  } else if (step.do === 'clear') {
    await store.clear()
    map.clear()
  } else {
    expect(await store.check()).toBeUndefined()
  }
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
