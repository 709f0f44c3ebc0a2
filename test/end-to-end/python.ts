import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../../deploy/local/cache.ts'
import { withLock } from '../../deploy/local/lock.ts'
import { startChild, within } from './command.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const requirements = join(here, 'requirements.txt')

/** Runs a script of this folder with the locked requirements, and gives what it wrote to standard output. */
export async function runPython(script: string, args: readonly string[], withinMs = 60_000): Promise<string> {
  const python = await environment()
  return say(python, [join(here, script), ...args], withinMs)
}

/** The Python of a virtual environment that holds exactly the requirements: made once, named by their hash. */
async function environment(): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cacheFolder(process.env), 'venv', hash)
  const python = join(folder, 'bin', 'python')
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return python
  await withLock(`${folder}.lock`, nobodyIsTold, async () => {
    if (existsSync(complete)) return
    rmSync(folder, { recursive: true, force: true })
    await say(process.env['PYTHON'] ?? 'python3', ['-m', 'venv', folder], 60_000)
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:']
    await say(python, [...pip, '--no-deps', '--requirement', requirements], 300_000)
    writeFileSync(complete, '')
  })
  return python
}

/** How long the first run takes to make the environment, at most. */
export const firstRunMs = 400_000

async function say(command: string, args: readonly string[], withinMs: number): Promise<string> {
  // One thread: a sum does not depend on the number of processors.
  const env = {
    ...process.env,
    OMP_NUM_THREADS: '1',
    OPENBLAS_NUM_THREADS: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  }
  const { code, stdout, stderr } = await within(withinMs, startChild(command, args, env), command)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr.slice(-2_000)}`)
  return stdout
}

function nobodyIsTold(): void {}
