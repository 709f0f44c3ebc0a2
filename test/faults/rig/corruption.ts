import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from './random.ts'

export const corruptionKinds = [
  'current-missing',
  'current-rubbish',
  'manifest-missing',
  'manifest-truncated',
  'manifest-flipped',
  'log-missing',
  'log-truncated',
  'log-flipped',
  'table-missing',
  'table-truncated',
  'table-flipped',
  'swapped',
  'older',
  'emptied',
  'foreign',
] as const

export type CorruptionKind = (typeof corruptionKinds)[number]

/** One task's store on disk, of a process that is dead. */
export interface StoreFolder {
  readonly path: string
  readonly stageId: string
  readonly index: number
}

/** The stores below the state folder of one instance. */
export function storesIn(state: string): StoreFolder[] {
  if (!existsSync(state)) return []
  const stages = readdirSync(state, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return stages.flatMap(({ name }) =>
    readdirSync(join(state, name))
      .filter((index) => /^\d+$/.test(index))
      .map((index) => ({ path: join(state, name, index), stageId: name, index: Number(index) })),
  )
}

/** Puts a copy of a store aside, to come back later as an older one. */
export function keepCopy(store: StoreFolder, copies: string): void {
  const copy = copyOf(store, copies)
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(dirname(copy), { recursive: true })
  cpSync(store.path, copy, { recursive: true })
}

/**
 * Damages a store in the way that is asked for.
 * @returns the stores that were touched: two for a swap, none when there is nothing to damage in this way.
 */
export function corrupt(
  kind: CorruptionKind,
  store: StoreFolder,
  others: readonly StoreFolder[],
  copies: string,
  random: Random,
): StoreFolder[] {
  if (kind === 'swapped') return swap(store, others, random)
  if (kind === 'older') return replaceBy(copyOf(store, copies), store)
  if (kind === 'foreign') {
    const foreign = others.filter(({ stageId }) => stageId !== store.stageId)
    return foreign.length === 0 ? [] : replaceBy(random.pick(foreign).path, store)
  }
  if (kind === 'emptied') {
    for (const name of readdirSync(store.path))
      rmSync(join(store.path, name), { recursive: true, force: true })
    return [store]
  }
  const [part, way] = kind.split('-') as [keyof typeof patterns, keyof typeof ways]
  const files = readdirSync(store.path).filter((name) => patterns[part].test(name))
  const full = files.map((name) => join(store.path, name)).filter((file) => statSync(file).size > 0)
  if (full.length === 0) return []
  ways[way](random.pick(full), random)
  return [store]
}

const patterns = { current: /^CURRENT$/, manifest: /^MANIFEST-/, log: /^\d+\.log$/, table: /\.(ldb|sst)$/ }

const ways = {
  missing: (file: string) => rmSync(file),
  rubbish: (file: string) => writeFileSync(file, 'MANIFEST-999999\n'),
  truncated: (file: string, random: Random) => truncateSync(file, random.below(statSync(file).size)),
  flipped(file: string, random: Random) {
    const bytes = readFileSync(file)
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    writeFileSync(file, bytes)
  },
}

function swap(store: StoreFolder, others: readonly StoreFolder[], random: Random): StoreFolder[] {
  const siblings = others.filter(({ stageId, index }) => stageId === store.stageId && index !== store.index)
  if (siblings.length === 0) return []
  const other = random.pick(siblings)
  renameSync(store.path, `${store.path}.swap`)
  renameSync(other.path, store.path)
  renameSync(`${store.path}.swap`, other.path)
  return [store, other]
}

function replaceBy(from: string, store: StoreFolder): StoreFolder[] {
  if (!existsSync(from)) return []
  rmSync(store.path, { recursive: true, force: true })
  cpSync(from, store.path, { recursive: true })
  return [store]
}

function copyOf({ stageId, index }: StoreFolder, copies: string): string {
  return join(copies, stageId, String(index))
}
