/** `node test/bench/main.ts <commit|restart|soak> [--json] [options]`: see README.md beside it. */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { bringUp } from '../../deploy/local/up.ts'
import type { Bed } from './bed.ts'
import { benchCommit } from './commit.ts'
import { benchRestart } from './restart.ts'
import { benchSoak } from './soak.ts'

type Numbers = Readonly<Record<string, string | undefined>>
type Bench = (bed: Bed, values: Numbers) => Promise<object>

const benches: Readonly<Record<string, Bench>> = {
  commit: (bed, values) =>
    benchCommit(bed, {
      records: whole(values, 'records', 300_000),
      rounds: whole(values, 'rounds', 5),
      keys: whole(values, 'keys', 10_000),
      perTransaction: whole(values, 'raw-transaction', 2_000),
      ...(values['profile'] === undefined ? {} : { profile: values['profile'] }),
    }),
  restart: (bed, values) =>
    benchRestart(bed, {
      keys: whole(values, 'keys', 1_000_000),
      kills: whole(values, 'kills', 10),
      ...(values['profile'] === undefined ? {} : { profile: values['profile'] }),
    }),
  soak: (bed, values) =>
    benchSoak(bed, {
      records: whole(values, 'records', 10_000_000),
      keys: whole(values, 'keys', 10_000),
      sampleEvery: whole(values, 'sample-every', 1_000_000),
    }),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    records: { type: 'string' },
    rounds: { type: 'string' },
    keys: { type: 'string' },
    kills: { type: 'string' },
    'raw-transaction': { type: 'string' },
    'sample-every': { type: 'string' },
    profile: { type: 'string' },
  },
})
const { json, ...numbers } = values
const bench = benches[positionals[0] ?? '']
if (bench === undefined) {
  process.stderr.write(`Which bench? There are ${Object.keys(benches).join(', ')}.\n`)
  process.exitCode = 1
} else {
  const say = (line: string) => process.stderr.write(`${line}\n`)
  await using stack = await bringUp({ onProgress: say })
  const found = await bench({ brokers: stack.brokers, registry: stack.registry, say }, numbers)
  // Wall time means little on a machine that has other work: its load is part of the result.
  const result = { ...found, cores: cpus().length, load: Number(loadavg()[0]!.toFixed(1)) }
  process.stdout.write(`${json ? JSON.stringify(result) : JSON.stringify(result, null, 2)}\n`)
}

function whole(given: Numbers, name: string, standard: number): number {
  const value = Number(given[name] ?? standard)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`)
  return value
}
