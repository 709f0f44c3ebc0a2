import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readBackground, stopBackground } from '../../deploy/local/background.ts'
import { processStart } from '../../deploy/local/process.ts'

function cache(): { env: { TIDEMARK_CACHE: string }; file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-state-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return { env: { TIDEMARK_CACHE: folder }, file: join(folder, 'broker.json') }
}

const state = { rung: 'java', brokers: 'a:1', registry: 'http://b', nodes: [{ id: 1, pid: 2 }] }

it.each([
  ['is gone', 4_194_305, '1234'],
  ['is gone and whose id belongs to another process now', process.pid, '1'],
])('a state file whose owner %s is removed, and that process is left alone', async (_, pid, start) => {
  const { env, file } = cache()
  writeFileSync(file, JSON.stringify({ ...state, pid, start }))
  expect(await stopBackground(env)).toBe(null)
  expect(existsSync(file)).toBe(false)
})

it('a state file that cannot be read counts for none', () => {
  const { env, file } = cache()
  writeFileSync(file, '{"pid":')
  expect(readBackground(env)).toBe(null)
  expect(existsSync(file)).toBe(false)
})

it('a state file whose owner lives is what runs', () => {
  const { env, file } = cache()
  const owner = { pid: process.pid, start: processStart(process.pid) }
  writeFileSync(file, JSON.stringify({ ...state, ...owner }))
  expect(readBackground(env)).toEqual({ ...state, ...owner })
})
