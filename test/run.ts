/**
 * `npm test`: the types, the lint, then all tests, whatever the ones before said. Options go to Vitest:
 * `npm test -- --project unit`, `npm test -- test/domain`. The last line is the sum, `N passed, N failed`: every test
 * counts one, and so do the types, the lint and a run of Vitest that broke outside its tests.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Count, countOf, runsEverything, sumOf } from './count.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const options = process.argv.slice(2)
const scratch = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
const report = join(scratch, 'vitest.json')

// Whoever interrupts a terminal interrupts the children too; this process lives until they have cleaned up.
process.on('SIGINT', () => {})

try {
  const counts = [
    await check('types', ['tsc', '-p', '.']),
    await check('lint', ['biome', 'check', '--error-on-warnings']),
  ]
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const code = await run(['vitest', 'run', ...reporters, ...options])
  counts.push(countOf(readReport(), { root, exitCode: code, everything: runsEverything(options) }))
  const { passed, failed, remarks } = sumOf(counts)
  for (const remark of remarks) console.log(remark)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  rmSync(scratch, { recursive: true })
}

/** A check is one test: it passes when its program ends with 0. */
async function check(name: string, command: readonly string[]): Promise<Count> {
  const code = await run(command)
  const remarks = code === 0 ? [] : [`${name} failed`]
  console.log(`${code === 0 ? '✓' : '✗'} ${name}`)
  return { passed: Number(code === 0), failed: Number(code !== 0), remarks }
}

/** Runs a program of node_modules with this terminal's output and no input; its exit code, 1 for a signal. */
function run([program, ...args]: readonly string[]): Promise<number> {
  const child = spawn(join(root, 'node_modules', '.bin', program!), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Vitest and its forks take their Node from the PATH of this package, however this file was started.
    env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}` },
  })
  const stop = () => child.kill('SIGTERM')
  process.on('SIGTERM', stop)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      process.off('SIGTERM', stop)
      resolve(code ?? 1)
    })
  })
}

function readReport(): unknown {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return undefined
  }
}
