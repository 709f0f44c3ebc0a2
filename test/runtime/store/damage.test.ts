import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { contentOf, put } from '../../contract/content.ts'
import { applyBatches, createHistory, differenceFrom, filledOf } from './history.ts'

// Opening forces files to the disk, which may be busy with other things.
vi.setConfig({ testTimeout: 60_000 })

const scratch = mkdtempSync(join(tmpdir(), 'tidemark-damage-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const identity = 'changelog/0'
const history = createHistory(1)

/** Every batch is swept as it is applied. */
const sweepAll = { overlayBytes: 1 }

let stores = 0
function newFolder(): string {
  stores += 1
  return join(scratch, String(stores))
}

/** A store whose entries are in tables. */
async function tabledStore(folder: string): Promise<void> {
  for (const to of [20, 40, 60]) {
    const store = await levelStore(folder, identity, sweepAll)
    await applyBatches(store, history, to - 19, to)
    await store.close()
  }
}

function tablesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.ldb'))
  return names.map((name) => join(folder, name))
}

describe('while it is in use, a level store', () => {
  it('finds a flipped bit in its files when it is checked, and is well again after clearing', async () => {
    const folder = newFolder()
    await tabledStore(folder)
    const store = await levelStore(folder, identity)
    expect(store.damage).toBeUndefined()
    expect(await store.check()).toBeUndefined()
    const table = tablesIn(folder)[0]!
    const bytes = readFileSync(table)
    bytes[bytes.length >> 1]! ^= 4
    writeFileSync(table, bytes)
    expect(await store.check()).toMatch(/^\d+\.ldb: a wrong checksum at byte \d+$/)
    await store.clear()
    expect(await store.check()).toBeUndefined()
    await applyBatches(store, history, 1, 30)
    expect(await differenceFrom(store, history)).toBeUndefined()
    await store.close()
  })

  it('finds a missing table when it is checked', async () => {
    const folder = newFolder()
    await tabledStore(folder)
    const store = await levelStore(folder, identity)
    rmSync(tablesIn(folder)[0]!)
    expect(await store.check()).toMatch(/^\d+\.ldb: it is missing$/)
    await store.close()
  })

  it('finds nothing wrong when it is checked again and again while it is written and swept', async () => {
    const store = await levelStore(newFolder(), identity, { overlayBytes: 30_000, logBytes: 40_000 })
    let isWriting = true
    const writing = applyBatches(store, history, 1, 500).then(() => {
      isWriting = false
    })
    let checks = 0
    while (isWriting) {
      expect(await store.check()).toBeUndefined()
      checks += 1
    }
    await writing
    expect(checks).toBeGreaterThan(0)
    expect(await differenceFrom(store, history)).toBeUndefined()
    await store.close()
  })

  it('says with its code that an entry is not what was written', async () => {
    const folder = newFolder()
    const first = await levelStore(folder, identity, sweepAll)
    await first.apply([put('a', '1'), put('b', '2')])
    await first.close()
    const level = new ClassicLevel<string, Buffer>(folder, { valueEncoding: 'buffer', compression: false })
    await level.put('ea', (await level.get('eb'))!)
    await level.close()
    const second = await levelStore(folder, identity)
    expect(second.damage).toBeUndefined()
    expect(() => second.get('a')).toThrow(
      expect.objectContaining({ code: 'TM_STORE_DAMAGED', message: expect.stringContaining(folder) }),
    )
    expect(await second.check()).toBe('an entry with a wrong checksum')
    await second.clear()
    expect(second.get('a')).toBeUndefined()
    await second.close()
  })
})

describe('when it is opened, a level store', () => {
  it('is emptied when it was last written more than 12 hours ago, and not before', async () => {
    const hourMs = 3_600_000
    for (const options of [{}, sweepAll]) {
      const folder = newFolder()
      const first = await levelStore(folder, identity, { ...options, now: () => 100 * hourMs })
      await applyBatches(first, history, 1, 5)
      await first.close()
      const second = await levelStore(folder, identity, { now: () => 112 * hourMs })
      expect(second.damage).toBeUndefined()
      expect(filledOf(second)).toBe(5)
      await second.close()
      const third = await levelStore(folder, identity, { now: () => 113 * hourMs })
      expect(third.damage).toContain('13 hours ago')
      expect(await contentOf(third)).toEqual({})
      await third.close()
    }
  })

  it('does not age while there is nothing in it', async () => {
    const folder = newFolder()
    await (await levelStore(folder, identity, { now: () => 0 })).close()
    const store = await levelStore(folder, identity, { now: () => Date.now() })
    expect(store.damage).toBeUndefined()
    await store.close()
  })

  it('is emptied when another task wrote it', async () => {
    const folder = newFolder()
    const first = await levelStore(folder, 'changelog/7')
    await first.apply([put('a', '1')])
    await first.close()
    const second = await levelStore(folder, identity)
    expect(second.damage).toBe('it is the store of changelog/7 instead of changelog/0')
    expect(await contentOf(second)).toEqual({})
    await second.close()
  })

  it('is emptied when it is a LevelDB of something else', async () => {
    for (const compression of [true, false]) {
      const folder = newFolder()
      for (let life = 0; life < 2; life += 1) {
        const level = new ClassicLevel<string, string>(folder, { compression })
        await level.put('~checkpoint', 'x'.repeat(9000))
        await level.close()
      }
      const store = await levelStore(folder, identity)
      expect(store.damage).toBeDefined()
      expect(await contentOf(store)).toEqual({})
      await store.apply([put('a', '1')])
      await store.close()
      const again = await levelStore(folder, identity)
      expect(again.damage).toBeUndefined()
      expect(await contentOf(again)).toEqual({ a: '1' })
      await again.close()
    }
  })

  it('is not emptied while another has it open, however damaged it is', async () => {
    const folder = newFolder()
    await tabledStore(folder)
    const first = await levelStore(folder, identity)
    const table = tablesIn(folder)[0]!
    writeFileSync(table, readFileSync(table).fill(0))
    await expect(levelStore(folder, identity)).rejects.toMatchObject({ code: 'TM_STORE' })
    expect(tablesIn(folder)).toContain(table)
    await first.close()
    const second = await levelStore(folder, identity)
    expect(second.damage).toBeDefined()
    await second.close()
  })
})
