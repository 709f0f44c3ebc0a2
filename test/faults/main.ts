import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Options, readOptions, shareOfOne, usage } from './rig/options.ts'
import { type PhaseResult, runPhase } from './rig/phase.ts'
import { type Report, reportOf, zeros } from './rig/report.ts'

/** Exit codes: something is wrong with what was tested; the run proves nothing; the arguments were not understood. */
const failed = 1
const proved = 0
const provedNothing = 2
const misused = 64

const startedMs = performance.now()

function say(line: string): void {
  process.stderr.write(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)} ${line}\n`)
}

async function main(): Promise<number> {
  let options: Options
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`)
    return misused
  }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-faults-'))
  say(`seed ${options.seed}; the run's folder is ${folder}`)
  const phases: PhaseResult[] = []
  for (const name of options.phases) phases.push(await runPhase(phaseOf(options, name, folder)))
  const report = reportOf({ ...options, commit: git('rev-parse', 'HEAD'), isModified: isModified() }, phases)
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(folder, 'phases.json'), `${JSON.stringify(phases, null, 2)}\n`)
  const code = verdictOf(report)
  for (const { audited } of phases) for (const detail of audited?.details ?? []) say(detail)
  for (const failure of report.failures) say(failure)
  for (const reason of report.void) say(`void: ${reason}`)
  if (code === proved && !options.isKept) rmSync(folder, { recursive: true, force: true })
  else say(`logs, ledger, dump and Kafka's data stay in ${folder}; the seed was ${options.seed}`)
  process.stdout.write(`${JSON.stringify(report, null, options.isJson ? undefined : 2)}\n`)
  return code
}

function phaseOf(options: Options, name: Options['phases'][number], folder: string) {
  const { seconds, seed, perSecond, isQuiet, phases, plants } = options
  const share = phases.length === 1 ? 1 : name === 'one' ? shareOfOne : 1 - shareOfOne
  return {
    // A name of its own for each run, should a broker outlive it.
    name: `faults-${name}-${Date.now().toString(36)}`,
    nodes: name === 'one' ? (1 as const) : (3 as const),
    seconds: Math.round(seconds * share),
    ...{ seed, perSecond, isQuiet, plants, instances: 2 },
    folder: join(folder, name),
    log: say,
  }
}

function verdictOf(report: Report): number {
  if (report.failures.length > 0 || zeros.some((name) => report[name] !== 0)) return failed
  return report.void.length > 0 ? provedNothing : proved
}

/** Whether what ran is not what the commit holds. */
function isModified(): boolean {
  return git('status', '--porcelain', '--', '../../services', '../../schemas', '../../topologies') !== ''
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
}

/** One bug at a time instead of many faults: that the suite would see them. */
async function planted(): Promise<number> {
  const { runPlanted } = await import('./planted/planted.ts')
  return runPlanted(process.argv.slice(2), say)
}

// Whatever a failed run may have left open must not keep it alive.
process.exit(await (process.argv.includes('--planted') ? planted() : main()))
