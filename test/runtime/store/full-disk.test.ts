import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { applyBatches, createHistory, differenceFrom, filledOf } from './history.ts'

const seed = 5
// Opening forces files to the disk, which may be busy with other things.
vi.setConfig({ testTimeout: 60_000 })

const scratch = mkdtempSync(join(tmpdir(), 'tidemark-full-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const identity = 'changelog/0'
const applier = join(import.meta.dirname, 'applier.ts')

interface LastWord {
  readonly code: string
  readonly message: string
  readonly later: readonly string[]
}

/** Lets a process apply batches in a shell whose limits are set first: what it applied, and what it said of its failure. */
function applyUnder(limits: string, folder: string, overlayBytes: number) {
  const command = `${limits} exec "$0" "$@"`
  const args = [
    process.execPath,
    applier,
    folder,
    identity,
    String(seed),
    '0',
    String(overlayBytes),
    '100000',
  ]
  const { stdout, stderr, status } = spawnSync('sh', ['-c', command, ...args], { encoding: 'utf8' })
  const lines = stdout.split('\n').slice(0, -1)
  const word = lines.pop()
  if (word === undefined || !word.startsWith('{')) throw new Error(`${status}: ${stderr}`)
  return { applied: Number(lines.at(-1) ?? -1), word: JSON.parse(word) as LastWord }
}

/** Opens the store without limits and goes on: nothing may be torn or lost. */
async function expectGoesOn(folder: string, applied: number): Promise<void> {
  const history = createHistory(seed)
  const store = await levelStore(folder, identity)
  expect(store.damage).toBeUndefined()
  const filled = filledOf(store)
  expect(filled - applied).toBeOneOf([0, 1])
  expect(await differenceFrom(store, history)).toBeUndefined()
  await applyBatches(store, history, filled + 1, filled + 20)
  expect(await differenceFrom(store, history)).toBeUndefined()
  await store.close()
}

// Files cannot grow beyond a limit: the same error at the same place as on a full disk, with no need of privileges.
it.each([
  ['in the log', 200, 4_000_000],
  ['in a sweep', 400, 100_000],
])(
  'a write that fails %s has its code, tears nothing, and is the last one',
  async (name, blocks, overlayBytes) => {
    const folder = join(scratch, name)
    const { applied, word } = applyUnder(`ulimit -f ${blocks};`, folder, overlayBytes)
    expect(word.code).toBe('TM_STORE')
    expect(word.message).toContain('File too large')
    expect(word.message).toContain(folder)
    expect(word.later).toEqual(['TM_STORE', 'TM_STORE', 'TM_STORE'])
    expect(applied).toBeGreaterThan(5)
    await expectGoesOn(folder, applied)
  },
)

it('a store that cannot be opened for want of space is opened when there is some, as it was', async () => {
  const folder = join(scratch, 'opened')
  const history = createHistory(seed)
  const store = await levelStore(folder, identity)
  await applyBatches(store, history, 1, 300)
  await store.close()
  const { word } = applyUnder('ulimit -f 100;', folder, 4_000_000)
  expect(word.code).toBe('TM_STORE')
  expect(word.message).toContain('File too large')
  await expectGoesOn(folder, 300)
})

/** A file system of its own, where the kernel lets a user have one. */
const own = ['unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=1m none /mnt && exec "$0" "$@"']] as const

it('a disk that is really full is told, and when there is space again everything is there', () => {
  const [command, args] = own
  if (spawnSync(command, [...args, 'true']).status !== 0) {
    console.log('no file system of our own here: only the limits above were tested')
    return
  }
  const script = `
    head -c 600000 /dev/zero > /mnt/ballast
    "$0" "$1" /mnt/state ${identity} ${seed} 0 100000 100000 | tail -1
    rm /mnt/ballast
    "$0" "$1" /mnt/state ${identity} ${seed} 0 100000 0`
  const shell = ['sh', '-c', script, process.execPath, applier]
  const { stdout } = spawnSync(command, [...args, ...shell], { encoding: 'utf8' })
  const [word = '', filled = ''] = stdout.split('\n')
  expect(JSON.parse(word)).toMatchObject({
    code: 'TM_STORE',
    message: expect.stringContaining('No space left on device'),
  })
  expect(Number(filled)).toBeGreaterThan(20)
})
