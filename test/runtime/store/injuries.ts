import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { sealEntry } from '../../../services/runtime/store/seal.ts'

/** One store folder, and what else there is to spoil it with. */
export interface Patient {
  readonly folder: string
  /** The same store, some batches earlier. */
  readonly older: string
  /** Some batches later. */
  readonly newer: string
  /** The store of another task. */
  readonly other: string
}

/** Spoils a closed store. Gives false when there is nothing to spoil in this way. */
export type Injury = (patient: Patient, random: () => number) => Promise<boolean> | boolean

/** The kinds of files that a LevelDB consists of. */
const kinds: Readonly<Record<string, RegExp>> = {
  log: /\.log$/,
  table: /\.ldb$/,
  manifest: /^MANIFEST/,
  current: /^CURRENT$/,
}

/** Every way to spoil a store, by name. */
export const injuries: Readonly<Record<string, Injury>> = {
  ...perKind('cut short', (bytes, random) => bytes.subarray(0, below(random, bytes.length))),
  ...perKind('a bit flipped', (bytes, random) => {
    const at = below(random, bytes.length)
    bytes[at]! ^= 1 << below(random, 8)
    return bytes
  }),
  ...perKind('zeros in it', (bytes, random) => {
    const at = below(random, bytes.length)
    return bytes.fill(0, at, Math.min(bytes.length, at + 1 + below(random, 600)))
  }),
  ...perKind('a piece missing', (bytes, random) => {
    const at = below(random, bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 300))])
  }),
  ...perKind('rubbish behind it', (bytes, random) =>
    Buffer.concat([
      bytes,
      Buffer.from(Array.from({ length: 1 + below(random, 300) }, () => below(random, 256))),
    ]),
  ),
  ...perKind('missing', () => undefined),
  ...perFolder('older'),
  ...perFolder('newer'),
  ...perFolder('other'),
  'all files missing': ({ folder }) => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name))
    return true
  },
  'another format': ({ folder }) =>
    rewrite(folder, async (level) => {
      const text = level.getSync('m')!.toString('utf8', 4).replace('"format":1', '"format":2')
      await level.put('m', sealEntry(0, 'm', Buffer.from(text)))
      return true
    }),
  'no word whose it is': ({ folder }) =>
    rewrite(folder, async (level) => {
      await level.del('m')
      return true
    }),
  'a batch of the log missing': ({ folder }, random) =>
    rewrite(folder, async (level) => {
      const keys = await logKeys(level)
      // Without the last one it would be an older store.
      if (keys.length < 2) return false
      await level.del(keys[below(random, keys.length - 1)]!)
      return true
    }),
  'two batches of the log swapped': ({ folder }, random) =>
    rewrite(folder, async (level) => {
      const keys = await logKeys(level)
      if (keys.length < 2) return false
      const at = below(random, keys.length - 1)
      const [left, right] = [level.getSync(keys[at]!)!, level.getSync(keys[at + 1]!)!]
      await level.batch([
        { type: 'put', key: keys[at]!, value: right },
        { type: 'put', key: keys[at + 1]!, value: left },
      ])
      return true
    }),
  'a batch of the log changed behind good checksums of LevelDB': ({ folder }, random) =>
    rewrite(folder, async (level) => {
      const key = (await logKeys(level)).at(-1)
      if (key === undefined) return false
      const spoiled = Buffer.from(level.getSync(key)!)
      spoiled[below(random, spoiled.length)]! ^= 1 << below(random, 8)
      await level.put(key, spoiled)
      return true
    }),
  'an entry changed behind good checksums of LevelDB': ({ folder }, random) =>
    rewrite(folder, async (level) => {
      const entries = await level.iterator({ gte: 'e', lt: 'f' }).all()
      if (entries.length === 0) return false
      for (const [key, value] of entries) {
        const spoiled = Buffer.from(value)
        spoiled[below(random, value.length)]! ^= 1 << below(random, 8)
        await level.put(key, spoiled)
      }
      return true
    }),
  'entries under the keys of others': ({ folder }) =>
    rewrite(folder, async (level) => {
      const entries = await level.iterator({ gte: 'e', lt: 'f' }).all()
      if (entries.length < 2) return false
      const shifted = entries.map(([key], at) => [key, entries[(at + 1) % entries.length]![1]] as const)
      await level.batch(shifted.map(([key, value]) => ({ type: 'put', key, value })))
      return true
    }),
}

/** The same change of bytes for each kind of file; undefined removes the file. */
function perKind(
  what: string,
  change: (bytes: Buffer, random: () => number) => Buffer | undefined,
): Record<string, Injury> {
  const entries = Object.entries(kinds).map(([kind, pattern]) => {
    const injury: Injury = ({ folder }, random) => {
      const file = pick(folder, pattern, random)
      if (file === undefined) return false
      const before = readFileSync(file)
      if (before.length === 0) return false
      const after = change(Buffer.from(before), random)
      if (after === undefined) rmSync(file)
      else writeFileSync(file, after)
      return after === undefined || !after.equals(before)
    }
    return [`${kind}: ${what}`, injury]
  })
  return Object.fromEntries(entries)
}

/** The whole folder of another store, or one file of it, in place of the store's own. */
function perFolder(which: 'older' | 'newer' | 'other'): Record<string, Injury> {
  const entries = Object.entries(kinds).map(([kind, pattern]) => {
    const injury: Injury = (patient, random) => {
      const source = pick(patient[which], pattern, random)
      if (source === undefined) return false
      const target = pick(patient.folder, pattern, random)
      if (target === undefined || readFileSync(source).equals(readFileSync(target))) return false
      // Under the name that counts here, and under its own.
      cpSync(source, random() < 0.5 ? target : join(patient.folder, source.slice(patient[which].length + 1)))
      return true
    }
    return [`${kind}: of the ${which} store`, injury]
  })
  const whole: Injury = (patient) => {
    rmSync(patient.folder, { recursive: true })
    cpSync(patient[which], patient.folder, { recursive: true })
    return true
  }
  return { ...Object.fromEntries(entries), [`the whole ${which} store`]: whole }
}

function pick(folder: string, pattern: RegExp, random: () => number): string | undefined {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : []
  const name = names.sort()[below(random, names.length)]
  return name && join(folder, name)
}

function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit)
}

function logKeys(level: ClassicLevel<string, Buffer>): Promise<string[]> {
  return level.keys({ gte: 'l', lt: 'm' }).all()
}

/** Changes a store through LevelDB itself, so that all of LevelDB's own checksums are right. */
async function rewrite(
  folder: string,
  change: (level: ClassicLevel<string, Buffer>) => Promise<boolean>,
): Promise<boolean> {
  const options = { keyEncoding: 'utf8', valueEncoding: 'buffer', compression: false } as const
  const level = new ClassicLevel<string, Buffer>(folder, options)
  await level.open()
  const isChanged = await change(level)
  await level.close()
  return isChanged
}
