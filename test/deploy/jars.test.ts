import { execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { areJarsCached, jarsFolder } from '../../deploy/local/jars.ts'
import { holds } from './family.ts'

const run = promisify(execFile)
const file = new URL('./jars-command.ts', import.meta.url).pathname

/**
 * A machine whose `mvn` and `java` are small scripts: `mvn` writes down that it ran, half fills the folder, waits for
 * a file named `go`, and fills the rest.
 */
function machine() {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-jars-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const bin = join(root, 'bin')
  mkdirSync(bin)
  script(
    join(bin, 'mvn'),
    `echo ran >> ${root}/runs
for each in "$@"; do case "$each" in -Djars.folder=*) folder="\${each#-Djars.folder=}";; esac; done
mkdir -p "$folder/kafka" "$folder/registry"
touch "$folder/kafka/a.jar"
test -e ${root}/broken && { echo "[ERROR] no such artifact"; exit 1; }
while ! test -e ${root}/go; do sleep 0.02; done
touch "$folder/registry/app-runner.jar"`,
  )
  // StorageTool, as far as it matters here: it is given the settings last and writes into their log.dirs.
  script(
    join(bin, 'java'),
    `for each in "$@"; do last="$each"; done
touch "$(sed -n 's/^log.dirs=//p' "$last")/bootstrap.checkpoint"`,
  )
  const env = { PATH: `${bin}:${process.env.PATH}`, TIDEMARK_CACHE: join(root, 'cache') }
  return { root, env, folder: jarsFolder(env), go: () => writeFileSync(join(root, 'go'), '') }
}

function runs(root: string): number {
  return existsSync(join(root, 'runs')) ? readFileSync(join(root, 'runs'), 'utf8').split('\n').length - 1 : 0
}

it('the jars are fetched once, with a word about it, and are complete', async () => {
  const { root, env, folder, go } = machine()
  go()
  expect(areJarsCached(env)).toBe(false)
  const { stdout, stderr } = await run(process.execPath, ['--no-warnings', file], { env })
  expect(JSON.parse(stdout)).toEqual({
    kafkaClassPath: join(folder, 'kafka', '*'),
    registryJar: join(folder, 'registry', 'app-runner.jar'),
    bootstrapCheckpoint: join(folder, 'format', 'bootstrap.checkpoint'),
  })
  expect(stderr).toMatch(/fetching Apache Kafka and Apicurio Registry with Maven/)
  expect(existsSync(join(folder, 'format', 'bootstrap.checkpoint'))).toBe(true)
  expect(areJarsCached(env)).toBe(true)
  const again = await run(process.execPath, ['--no-warnings', file], { env })
  expect(again).toEqual({ stdout, stderr: '' })
  expect(runs(root)).toBe(1)
})

it('two processes at once fetch once', async () => {
  const { root, env, go } = machine()
  const both = [0, 1].map(() => run(process.execPath, ['--no-warnings', file], { env }))
  expect(await holds(() => runs(root) === 1, 10_000)).toBe(true)
  go()
  const [one, other] = await Promise.all(both)
  expect(one?.stdout).toBe(other?.stdout)
  expect(runs(root)).toBe(1)
})

it('a fetch that was killed half way is not taken for complete, and the next one clears it away', async () => {
  const { root, env, folder, go } = machine()
  const first = spawn(process.execPath, ['--no-warnings', file], { env, stdio: 'ignore' })
  const isHalfWay = () =>
    existsSync(dirname(folder)) &&
    readdirSync(dirname(folder)).some((name) => existsSync(join(dirname(folder), name, 'kafka', 'a.jar')))
  expect(await holds(isHalfWay, 10_000)).toBe(true)
  first.kill('SIGKILL')
  expect(areJarsCached(env)).toBe(false)
  go()
  await run(process.execPath, ['--no-warnings', file], { env })
  expect(runs(root)).toBe(2)
  const left = readdirSync(dirname(folder))
  expect(left.sort()).toEqual([basename(folder), `${basename(folder)}.log`])
})

it('a fetch that fails says what Maven said, and leaves nothing that looks complete', async () => {
  const { root, env } = machine()
  writeFileSync(join(root, 'broken'), '')
  const failure = await run(process.execPath, ['--no-warnings', file], { env }).catch(
    (error: Error) => error.message,
  )
  expect(failure).toContain('mvn ended with exit code 1')
  expect(failure).toContain('[ERROR] no such artifact')
  expect(areJarsCached(env)).toBe(false)
})

function script(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
}
