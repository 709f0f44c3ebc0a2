/** `node test/bench/store.ts [--json] [--keys 1000000] [--rounds 3]`: the local store against a put per key, in one run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ClassicLevel } from 'classic-level'
import { levelStore } from '../../services/runtime/store/level.ts'
import type { Change, Store } from '../../services/runtime/store/store.ts'
import { verifyFiles } from '../../services/runtime/store/verify.ts'

type Writes = Pick<Store, 'apply' | 'get' | 'close'>

interface Load {
  readonly name: string
  readonly commits: number
  /** Keys that change in one commit, out of so many. */
  readonly changed: number
  readonly keys: number
  /** The share of changes that go to a hundredth of the keys. */
  readonly hot: number
}

interface Cost {
  readonly perKeyUs: number
  readonly perKeyCpuUs: number
  readonly perCommitUs: number
  readonly p99Us: number
}

const identity = 'bench/0'

/** From the quiet life of a task to its catching up, with keys that come back and keys that do not. */
const loads: readonly Load[] = [
  { name: 'small commits, hot keys', commits: 4000, changed: 30, keys: 10_000, hot: 0.8 },
  { name: 'large commits, hot keys', commits: 400, changed: 600, keys: 100_000, hot: 0.8 },
  { name: 'large commits, cold keys', commits: 400, changed: 600, keys: 1_000_000, hot: 0 },
]

/** What the store was before it was written as a log. */
async function putPerKey(folder: string): Promise<Writes> {
  const level = new ClassicLevel<string, Buffer>(folder, { keyEncoding: 'utf8', valueEncoding: 'buffer' })
  await level.open()
  return {
    get: (key) => level.getSync(key),
    apply: async (changes) => {
      const batch = level.batch()
      for (const [key, value] of changes) {
        if (value === undefined) batch.del(key)
        else batch.put(key, value)
      }
      await batch.write()
    },
    close: () => level.close(),
  }
}

function changesOf(load: Load, commit: number): Change[] {
  return Array.from({ length: load.changed }, (_, at) => {
    const mixed = Math.imul(commit * load.changed + at, 0x9e3779b1) >>> 0
    const isHot = (mixed >>> 8) % 100 < load.hot * 100
    const key = mixed % (isHot ? Math.ceil(load.keys / 100) : load.keys)
    return [keyOf(key), stateOf(key, commit)]
  })
}

function keyOf(number: number): string {
  return `airport/K${number}/departures`
}

/** About 100 bytes, as the state of a window is. */
function stateOf(key: number, commit: number): Buffer {
  const state = {
    count: commit,
    sum: key * 1.37 + commit,
    last: 1.7e12 + commit,
    min: key % 313,
    status: 'value',
  }
  return Buffer.from(JSON.stringify(state))
}

async function costOf(store: Writes, load: Load): Promise<Cost> {
  const commits = Array.from({ length: load.commits }, (_, commit) => changesOf(load, commit))
  const times: number[] = []
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (const changes of commits) {
    const before = performance.now()
    await store.apply(changes)
    times.push((performance.now() - before) * 1000)
  }
  await store.close()
  const wallUs = (performance.now() - start) * 1000
  const { user, system } = process.cpuUsage(cpu)
  const changed = load.commits * load.changed
  times.sort((left, right) => left - right)
  return {
    perKeyUs: rounded(wallUs / changed),
    perKeyCpuUs: rounded((user + system) / changed),
    perCommitUs: rounded(wallUs / load.commits),
    p99Us: rounded(times[Math.floor(times.length * 0.99)]!),
  }
}

/** Old and new by turns, so that both meet the same machine; the best round of each counts. */
async function compare(scratch: string, load: Load, rounds: number): Promise<object> {
  const best: Record<'old' | 'new', Cost | undefined> = { old: undefined, new: undefined }
  for (let round = 0; round < rounds; round += 1) {
    for (const which of ['old', 'new'] as const) {
      const folder = join(scratch, 'written')
      const store = which === 'old' ? await putPerKey(folder) : await levelStore(folder, identity)
      const cost = await costOf(store, load)
      if (best[which] === undefined || cost.perKeyCpuUs < best[which].perKeyCpuUs) best[which] = cost
      await rm(folder, { recursive: true })
    }
  }
  const { old: before, new: after } = best as Record<'old' | 'new', Cost>
  return {
    old: before,
    new: after,
    ratio: rounded(after.perKeyUs / before.perKeyUs),
    ratioCpu: rounded(after.perKeyCpuUs / before.perKeyCpuUs),
  }
}

/** Fills as a restore does, opens again and again, reads, and checks. */
async function openings(scratch: string, keys: number, rounds: number): Promise<object> {
  const folder = join(scratch, 'large')
  const perBatch = 10_000
  const filling = await levelStore(folder, identity)
  const fillMs = await timed(async () => {
    for (let from = 0; from < keys; from += perBatch) {
      await filling.apply(
        Array.from({ length: perBatch }, (_, at): Change => [keyOf(from + at), stateOf(from + at, 1)]),
      )
    }
    await filling.close()
  })
  const verifyMs: number[] = []
  const openMs: number[] = []
  let store = filling
  for (let round = 0; round < Math.max(3, rounds); round += 1) {
    verifyMs.push(await timed(() => verifyFiles(folder)))
    openMs.push(
      await timed(async () => {
        store = await levelStore(folder, identity)
      }),
    )
    if (round < Math.max(3, rounds) - 1) await store.close()
  }
  if (store.damage !== undefined) throw new Error(store.damage)
  const reads = readCosts(store, keys)
  const checkMs = await timed(() => store.check())
  await store.close()
  return {
    keys,
    fillKeysPerSecond: Math.round(keys / (fillMs / 1000)),
    verifyMs: rounded(Math.min(...verifyMs)),
    openMs: rounded(Math.min(...openMs)),
    openMaxMs: rounded(Math.max(...openMs)),
    ...reads,
    checkMs: rounded(checkMs),
  }
}

function readCosts(store: Store, keys: number): object {
  const count = 50_000
  const cost = (keyAt: (at: number) => string, isThere: boolean) => {
    const start = performance.now()
    for (let at = 0; at < count; at += 1) {
      if ((store.get(keyAt(at)) !== undefined) !== isThere) throw new Error(`wrong about ${keyAt(at)}`)
    }
    return rounded(((performance.now() - start) * 1000) / count)
  }
  const scattered = (at: number) => (Math.imul(at, 0x9e3779b1) >>> 0) % keys
  return {
    getScatteredUs: cost((at) => keyOf(scattered(at)), true),
    getNearUs: cost((at) => keyOf(at % 1000), true),
    getMissUs: cost((at) => `nobody/${scattered(at)}`, false),
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keys: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
  },
})
const scratch = await mkdtemp(join(tmpdir(), 'tidemark-bench-store-'))
try {
  const applies: Record<string, object> = {}
  for (const load of loads) applies[load.name] = await compare(scratch, load, Number(values.rounds))
  const result = { applies, opening: await openings(scratch, Number(values.keys), Number(values.rounds)) }
  process.stdout.write(`${JSON.stringify(result, null, values.json ? 0 : 2)}\n`)
} finally {
  await rm(scratch, { recursive: true })
}
