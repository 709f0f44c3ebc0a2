import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isTidemarkError } from '../../../services/runtime/errors.ts'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { seeded } from '../../domain/report/random.ts'
import { applyBatches, createHistory, differenceFrom, filledOf, type History } from './history.ts'
import { injuries, type Patient } from './injuries.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
// In memory where there is such a folder: LevelDB forces files to the disk when it is opened, some 500 times here.
const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidemark-corruption-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const identity = 'changelog/0'
const history = createHistory(seed)

/** Small enough that a store of this size is swept several times, and that large batches are entries at once. */
const options = { overlayBytes: 20_000, logBytes: 60_000 }

/** A store grows in several lives, because LevelDB makes tables of its log when it is opened. */
const lives = [
  { name: 'one', count: 40, options },
  { name: 'two', count: 90, options },
  // The last life is what LevelDB has in its log: with sweeps, and without.
  { name: 'swept', count: 120, options },
  { name: 'logged', count: 150, options: {} },
  { name: 'newest', count: 190, options },
]

const other = join(scratch, 'other')

/** The stores that are spoiled, by turns. */
const patients = [
  { source: 'swept', count: 120, older: 'one', newer: 'logged' },
  { source: 'logged', count: 150, older: 'two', newer: 'newest' },
].map(({ source, count, older, newer }) => ({
  ...{ count, source: join(scratch, source) },
  ...{ older: join(scratch, older), newer: join(scratch, newer), other },
}))

beforeAll(async () => {
  await grow(join(scratch, 'growing'), identity, history)
  await grow(join(scratch, 'growing elsewhere'), 'changelog/1', createHistory(seed + 1))
  cpSync(join(scratch, 'growing elsewhere'), other, { recursive: true })
})

async function grow(folder: string, owner: string, what: History): Promise<void> {
  let at = 0
  for (const life of lives) {
    const store = await levelStore(folder, owner, life.options)
    await applyBatches(store, what, at + 1, life.count)
    await store.close()
    at = life.count
    if (owner === identity) cpSync(folder, join(scratch, life.name), { recursive: true })
  }
}

type Outcome = 'refused at opening' | 'refused at reading' | 'untouched' | 'older' | 'newer' | 'empty'

/** Opens a store and reads everything: what came of it. Throws when what is read was never there. */
async function outcomeOf(folder: string, count: number): Promise<Outcome> {
  const store = await levelStore(folder, identity, options)
  try {
    const difference = await differenceFrom(store, history)
    if (difference !== undefined) throw new Error(difference)
    const filled = filledOf(store)
    if (store.damage !== undefined) {
      if (filled > 0) throw new Error('a damaged store was not emptied')
      return 'refused at opening'
    }
    if (filled === count) return 'untouched'
    if (filled > count) return 'newer'
    return filled === 0 ? 'empty' : 'older'
  } catch (error) {
    if (!isTidemarkError(error) || error.code !== 'TM_STORE_DAMAGED') throw error
    expect(await store.check(), 'the scrub sees what a reader sees').toBeDefined()
    await store.clear()
    expect(await store.keys('')).toEqual([])
    return 'refused at reading'
  } finally {
    await store.close()
  }
}

/** How often each way to spoil a store is tried; random places need more than others. */
function triesOf(name: string): number {
  if (/^current/.test(name)) return 8
  if (/flipped/.test(name)) return 40
  if (/cut short|zeros|piece|rubbish| of the /.test(name)) return 16
  return 4
}

it(`a spoiled store is refused, or is what it was after some batch (seed ${seed})`, async () => {
  const table: Record<string, Record<string, number>> = {}
  let total = 0
  for (const [name, injure] of Object.entries(injuries)) {
    const outcomes: Record<string, number> = {}
    for (let attempt = 0; attempt < triesOf(name); attempt += 1) {
      const folder = join(scratch, 'spoiled')
      const { source, count, ...others } = patients[attempt % patients.length]!
      cpSync(source, folder, { recursive: true })
      const patient: Patient = { ...others, folder }
      if (await injure(patient, seeded(seed + 7919 * attempt + name.length))) {
        const outcome = await outcomeOf(folder, count).catch((error: unknown) => {
          throw new Error(`${name}, attempt ${attempt}`, { cause: error })
        })
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        total += 1
      }
      rmSync(folder, { recursive: true, force: true })
    }
    table[name] = outcomes
  }
  console.log(table)
  expect(total).toBeGreaterThanOrEqual(300)
  for (const [name, outcomes] of Object.entries(table)) expect(Object.keys(outcomes), name).not.toEqual([])
}, 120_000)
