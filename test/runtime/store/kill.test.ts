import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { seeded } from '../../domain/report/random.ts'
import { createHistory, differenceFrom, filledOf } from './history.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const scratch = mkdtempSync(join(tmpdir(), 'tidemark-kill-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const identity = 'changelog/0'
const kills = 36
const applier = join(import.meta.dirname, 'applier.ts')

/** From a sweep with every batch to one in a hundred: kills must meet both. */
const overlays = [2_000, 30_000, 300_000]

/** Lets a process apply batches until it has said something a random number of times, then kills it at a random moment. */
async function applyUntilKilled(folder: string, overlayBytes: number, random: () => number): Promise<number> {
  const args = [applier, folder, identity, String(seed), String(overlayBytes), '1000000000']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let output = ''
  let armed = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (armed) return
    armed = true
    setTimeout(() => child.kill('SIGKILL'), random() * 60)
  })
  const [, signal] = await exited
  const lines = output.split('\n').slice(0, -1)
  expect(signal, output.slice(-500)).toBe('SIGKILL')
  return Number(lines.at(-1))
}

it(`what a killed process leaves is everything that it applied, and nothing torn (seed ${seed})`, async () => {
  const random = seeded(seed)
  const history = createHistory(seed)
  const folder = join(scratch, 'store')
  let filled = 0
  for (let kill = 0; kill < kills; kill += 1) {
    const overlayBytes = overlays[kill % overlays.length]!
    const applied = await applyUntilKilled(folder, overlayBytes, random)
    const store = await levelStore(folder, identity, { overlayBytes })
    expect(store.damage).toBeUndefined()
    filled = filledOf(store)
    // The last batch may be written and not yet said.
    expect(filled - applied).toBeOneOf([0, 1])
    expect(await differenceFrom(store, history)).toBeUndefined()
    await store.close()
  }
  console.log({ kills, batches: filled })
  expect(filled).toBeGreaterThan(kills)
}, 120_000)
