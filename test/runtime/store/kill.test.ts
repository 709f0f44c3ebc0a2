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
const applier = join(import.meta.dirname, 'applier.ts')

/** From a sweep with every batch to one in a hundred: kills must meet both. */
const overlays = [2_000, 30_000, 300_000]

/** Lets a process apply batches until it has said something a random number of times, then kills it at a random moment. */
async function applyUntilKilled(
  folder: string,
  extraBytes: number,
  overlayBytes: number,
  delayMs: () => number,
): Promise<number> {
  const args = [applier, folder, identity, ...[seed, extraBytes, overlayBytes, 1e9].map(String)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let output = ''
  let armed = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (armed) return
    armed = true
    setTimeout(() => child.kill('SIGKILL'), delayMs())
  })
  const [, signal] = await exited
  const lines = output.split('\n').slice(0, -1)
  expect(signal, output.slice(-500)).toBe('SIGKILL')
  return Number(lines.at(-1))
}

it.each([
  ['small values', 24, 0, 60],
  // With these LevelDB is killed while it begins logs, makes tables of them and merges tables.
  ['large values', 12, 6000, 600],
])(
  `what a process with %s leaves when it is killed is what it applied (seed ${seed})`,
  async (...given) => {
    const [name, kills, extraBytes, maxDelayMs] = given
    const random = seeded(seed)
    const history = createHistory(seed, extraBytes)
    const folder = join(scratch, name)
    let filled = 0
    for (let kill = 0; kill < kills; kill += 1) {
      const overlayBytes = (1 + extraBytes / 100) * overlays[kill % overlays.length]!
      const applied = await applyUntilKilled(folder, extraBytes, overlayBytes, () => maxDelayMs * random())
      const store = await levelStore(folder, identity, { overlayBytes })
      expect(store.damage).toBeUndefined()
      filled = filledOf(store)
      // The last batch may be written and not yet said.
      expect(filled - applied).toBeOneOf([0, 1])
      expect(await differenceFrom(store, history)).toBeUndefined()
      expect(await store.check()).toBeUndefined()
      await store.close()
    }
    console.log({ name, kills, batches: filled })
    expect(filled).toBeGreaterThan(kills)
  },
  240_000,
)
