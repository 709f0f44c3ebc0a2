import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../../services/runtime/store/store.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** Keys that a store may confuse or sort wrongly: prefixes of each other, beyond ASCII, and beyond UTF-16's order. */
const keys = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a0', 'b', 'é', '｡', '😀', '~wake/00001/a', '~checkpoint']

type Change = readonly [key: string, value: Buffer | undefined]

/**
 * What every store must do, whatever it is made of.
 * @param open opens an empty store; the suite closes it
 */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`a ${name} store`, () => {
    let store: Store

    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    keepsValues(() => store)
    keepsKeys(() => store)
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
  })

  it('forgets everything when it is cleared, and can be filled again', async () => {
    await store().apply([put('a', '1'), put('~checkpoint', '2')])
    await store().clear()
    expect(await contentOf(store())).toEqual({})
    await store().apply([put('a', '3')])
    expect(await contentOf(store())).toEqual({ a: '3' })
  })

  it(`does what a map does (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 12 }), async (batches) => {
        await store().clear()
        const map = new Map<string, string>()
        for (const changes of batches) {
          await store().apply(changes)
          for (const [key, value] of changes) {
            if (value === undefined) map.delete(key)
            else map.set(key, value.toString())
          }
          expect(await contentOf(store())).toEqual(Object.fromEntries(map))
        }
      }),
      { seed, numRuns: 40 },
    )
  })
}

const batch: fc.Arbitrary<Change[]> = fc.array(
  fc.tuple(
    fc.constantFrom(...keys),
    fc.option(
      fc.string().map((text) => Buffer.from(text)),
      { nil: undefined },
    ),
  ),
  { maxLength: 6 },
)

export function put(key: string, value: string): Change {
  return [key, Buffer.from(value)]
}

/** Everything in a store, as text. */
export async function contentOf(store: Store): Promise<Record<string, string>> {
  const all = await store.keys('')
  return Object.fromEntries(all.map((key) => [key, store.get(key)!.toString()]))
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
