import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { root } from '../tidy/files.ts'

const main = join(root, 'services', 'cli', 'main.ts')
const topology = join(root, 'topologies', 'flight-delay')
/** No stack of this machine is found from here. */
const cache = mkdtempSync(join(tmpdir(), 'tidemark-usage-'))
afterAll(() => rmSync(cache, { recursive: true }))

const { KAFKA_BROKERS: _, SCHEMA_REGISTRY_URL: __, ...plainEnv } = process.env

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The real process, as a person would start it. */
function tidemark(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...plainEnv, TIDEMARK_CACHE: cache, ...env } }
    execFile(process.execPath, ['--no-warnings', main, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

const commands = [
  'dev',
  'broker',
  'plan',
  'apply',
  'start',
  'produce',
  'tail',
  'dead-letters',
  'backfill',
  'profile',
]

describe.concurrent('--help', { timeout: 60_000 }, () => {
  it('of the program names every command', async () => {
    const { code, out, err } = await tidemark(['--help'])
    expect([code, err]).toEqual([0, ''])
    for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  it.each(commands)('of %s says how it is used', async (command) => {
    const { code, out, err } = await tidemark([command, '--help'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(new RegExp(`^Usage: tidemark ${command}\\b`))
  })
})

describe.concurrent('what is not understood', { timeout: 60_000 }, () => {
  it.each([
    ['an unknown command', ['nonsense'], 'nonsense'],
    ['an unknown option', ['plan', '--nope', topology], '--nope'],
    ['a missing argument', ['plan'], 'topology'],
    ['a missing option', ['start', 'features'], '--topology'],
    ['an unknown service', ['start', 'nonsense', '--topology', topology], 'nonsense'],
    ['a wrong number', ['tail', 'x', '--limit', '0'], '--limit'],
    ['a wrong time', ['backfill', topology, '--from', '.', '--out', 'x', '--until', 'soon'], '--until'],
    ['an unknown subcommand', ['broker', 'sideways'], 'sideways'],
    ['a replay of nothing', ['dead-letters', 'replay', 'x'], '--all'],
    ['a misspelt letter', ['dead-letters', 'show', 'x', 'first'], 'partition/offset'],
    ['a wrong duration', ['dead-letters', 'list', 'x', '--since', 'soon'], '--since'],
    ['a wrong choice', ['broker', 'up', '--nodes', '2'], '--nodes'],
  ])('is told in one line, with exit code 2: %s', async (_, args, named) => {
    const { code, out, err } = await tidemark(args)
    expect(err).toMatch(/^TM_USAGE: [^\n]*\n$/)
    expect(err).toContain(named)
    expect([code, out]).toEqual([2, ''])
  })

  it.each([[[]], [['broker']]])('nothing but %j prints the help', async (args) => {
    const { code, err } = await tidemark(args)
    expect(err).toMatch(/^Usage: tidemark/)
    expect(err).not.toContain('TM_')
    expect(code).toBe(2)
  })
})

const given = { KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' }

describe.concurrent('what cannot be done', { timeout: 60_000 }, () => {
  it.each<[string, string, readonly string[], Record<string, string>, string]>([
    ['an unknown topology', 'TM_TOPOLOGY', ['plan', 'no/such/topology.ts'], {}, 'no/such/topology.ts'],
    [
      'a file that is no topology',
      'TM_TOPOLOGY',
      ['plan', join(root, 'services', 'cli', 'books.ts')],
      {},
      'books.ts',
    ],
    ['no broker given', 'TM_CONFIG', ['tail', 'x'], {}, 'KAFKA_BROKERS'],
    ['no registry given', 'TM_CONFIG', ['tail', 'x'], { KAFKA_BROKERS: 'a:1' }, 'SCHEMA_REGISTRY_URL'],
    ['a misspelt setting', 'TM_CONFIG', ['tail', 'x'], { ...given, TIDEMARK_STAET: '1' }, 'TIDEMARK_STAET'],
    [
      'plaintext to another machine',
      'TM_CONFIG',
      ['tail', 'x'],
      { ...given, KAFKA_BROKERS: 'kafka.example.org:9092' },
      'kafka.example.org',
    ],
  ])('is told in one line with its code and what to do: %s', async (_, code, args, env, named) => {
    const ended = await tidemark(args, env)
    expect(ended.err).toMatch(new RegExp(`^${code}: [^\\n]*\\.\\n$`))
    expect(ended.err).toContain(named)
    expect([ended.code, ended.out]).toEqual([1, ''])
  })
})

it('plan --offline shows a topology without any broker', { timeout: 60_000 }, async () => {
  const { code, out, err } = await tidemark(['plan', topology, '--offline'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^flight-delay version 1, hash [0-9a-f]{64}\n/)
  for (const stage of ['ingest', 'assemble', 'score', 'join', 'verdict']) expect(out).toContain(stage)
  expect(out).toMatch(/No broker was looked at\.\n$/)
})
