import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { whyInstall } from '../../deploy/install.mjs'

const packages = {
  '': { name: 'tidemark' },
  'node_modules/a': { version: '1.0.0', integrity: 'x' },
  'node_modules/b': { version: '2.0.0', integrity: 'y' },
  'node_modules/other-platform': { version: '1.0.0', integrity: 'z', optional: true },
}
const installed = {
  'node_modules/a': packages['node_modules/a'],
  'node_modules/b': packages['node_modules/b'],
}
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-install-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages }))
})

function install(what: object): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: what }))
}

it('a fresh clone needs an install', () => {
  expect(whyInstall(folder)).toBe('node_modules is missing or was not finished')
})

it('an install that was interrupted is done again', () => {
  mkdirSync(join(folder, 'node_modules', 'a'), { recursive: true })
  expect(whyInstall(folder)).toBe('node_modules is missing or was not finished')
})

it('nothing is done when everything is there, without the optional packages of other platforms', () => {
  install(installed)
  expect(whyInstall(folder)).toBe(null)
})

it('a newer lockfile is noticed whatever the times of the files say', () => {
  install({ ...installed, 'node_modules/b': { version: '1.9.0', integrity: 'y' } })
  expect(whyInstall(folder)).toBe('node_modules/b is 1.9.0, the lockfile says 2.0.0')
})

it('a package too few or too many is noticed', () => {
  install({ 'node_modules/a': packages['node_modules/a'] })
  expect(whyInstall(folder)).toBe('node_modules/b is missing')
  install({ ...installed, 'node_modules/c': { version: '1.0.0' } })
  expect(whyInstall(folder)).toBe('node_modules/c is not in the lockfile')
})

it('npm ci runs with what npm says about itself, keeps standard output free, and its exit code passes through', () => {
  mkdirSync(join(folder, 'deploy'))
  cpSync(new URL('../../deploy/install.mjs', import.meta.url), join(folder, 'deploy', 'install.mjs'))
  const npm = join(folder, 'npm-cli.js')
  writeFileSync(npm, 'console.log("npm", process.argv[2], process.cwd()); process.exit(7)\n')
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: process.execPath }
  const done = spawnSync(process.execPath, [join(folder, 'deploy', 'install.mjs')], { env, encoding: 'utf8' })
  expect(done.status).toBe(7)
  expect(done.stdout).toBe('')
  expect(done.stderr).toContain('install: node_modules is missing or was not finished: running npm ci\n')
  expect(done.stderr).toMatch(/npm ci .*tidemark-install-/)
})
