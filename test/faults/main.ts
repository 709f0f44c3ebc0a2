import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runPhase } from './rig/phase.ts'

const folder = mkdtempSync(join(tmpdir(), 'tidemark-faults-'))
const log = (line: string) => process.stderr.write(`${(performance.now() / 1000).toFixed(1)} ${line}\n`)
const result = await runPhase({
  name: `faults-${Date.now().toString(36)}`,
  nodes: 1,
  seconds: Number(process.argv[2] ?? 20),
  seed: 1,
  perSecond: Number(process.argv[3] ?? 500),
  instances: 2,
  isQuiet: process.argv[4] !== 'faults',
  plants: [],
  folder,
  log,
})
console.log(folder, result, execFileSync('git', ['rev-parse', 'HEAD']).toString())
