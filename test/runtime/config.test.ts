import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compileConfig } from '../../services/runtime/config.ts'

const least = { KAFKA_BROKERS: 'localhost:9092', SCHEMA_REGISTRY_URL: 'http://localhost:8081' }

function config(env: Record<string, string> = {}) {
  return compileConfig({ ...least, ...env }, 'cache')
}

it('is whole when only the broker and the registry are given', () => {
  expect(config()).toEqual({
    brokers: ['localhost:9092'],
    registry: 'http://localhost:8081',
    tls: false,
    sasl: undefined,
    allowPlaintext: false,
    instance: '0',
    stateFolder: join('cache', 'state'),
    httpHost: '127.0.0.1',
    httpPort: 0,
    httpToken: undefined,
    logLevel: 'info',
    sessionTimeoutMs: 6_000,
    commitIntervalMs: 10,
    requestTimeoutMs: 10_000,
    guarantee: 'exactly-once',
    memoryBytes: 128 * 1024 * 1024,
    scrubIntervalMs: 600_000,
  })
})

it('takes what is set', () => {
  const set = config({
    KAFKA_BROKERS: 'a:1, b:2',
    KAFKA_TLS: '1',
    TIDEMARK_ALLOW_PLAINTEXT: '1',
    TIDEMARK_COMMIT_INTERVAL_MS: '50',
    TIDEMARK_GUARANTEE: 'at-least-once',
    TIDEMARK_HTTP_PORT: '8080',
    TIDEMARK_INSTANCE: 'blue-2',
    TIDEMARK_LOG_LEVEL: 'debug',
    TIDEMARK_SESSION_TIMEOUT_MS: '10000',
    TIDEMARK_STATE: 'state',
  })
  expect(set).toMatchObject({
    brokers: ['a:1', 'b:2'],
    tls: true,
    allowPlaintext: true,
    commitIntervalMs: 50,
    guarantee: 'at-least-once',
    httpPort: 8080,
    instance: 'blue-2',
    logLevel: 'debug',
    sessionTimeoutMs: 10_000,
    stateFolder: 'state',
  })
})

describe('refuses, and names the setting,', () => {
  it.each(['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL'])('a missing or empty %s', (name) => {
    const { [name as keyof typeof least]: _, ...rest } = least
    for (const env of [rest, { ...least, [name]: ' ' }]) {
      expect(() => compileConfig(env, 'cache')).toThrow(refusal(`${name} is not set`))
    }
  })

  it('a misspelt one', () => {
    expect(() => config({ TIDEMARK_COMIT_INTERVAL_MS: '5' })).toThrow(
      refusal('TIDEMARK_COMIT_INTERVAL_MS is not'),
    )
  })

  it.each([
    ['KAFKA_BROKERS', ['localhost', 'a:1,,b:2', ':9092', 'a:1,']],
    ['KAFKA_TLS', ['true', 'yes', '']],
    ['KAFKA_SASL_MECHANISM', ['md5']],
    ['TIDEMARK_ALLOW_PLAINTEXT', ['true']],
    ['TIDEMARK_HTTP_PORT', ['', ' ', '-1', '65536', '80.5', 'http']],
    ['TIDEMARK_COMMIT_INTERVAL_MS', ['0', '60001', 'NaN', 'Infinity']],
    ['TIDEMARK_SESSION_TIMEOUT_MS', ['999', '300001']],
    ['TIDEMARK_INSTANCE', ['', 'a/b', '../x', 'x'.repeat(65)]],
    ['TIDEMARK_LOG_LEVEL', ['loud', '']],
  ])('a wrong %s', (name, values) => {
    for (const value of values) expect(() => config({ [name]: value })).toThrow(refusal(name))
  })
})

describe('secrets', () => {
  const sasl = { KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256', KAFKA_SASL_USERNAME: 'me' }

  it('come from a variable or from a file', () => {
    const expected = { mechanism: 'scram-sha-256', username: 'me', password: 'open sesame' }
    expect(config({ ...sasl, KAFKA_SASL_PASSWORD: 'open sesame' }).sasl).toEqual(expected)
    expect(config({ ...sasl, KAFKA_SASL_PASSWORD_FILE: fileWith('open sesame\n') }).sasl).toEqual(expected)
  })

  it('that are missing or cannot be read are named, never shown', () => {
    expect(() => config(sasl)).toThrow(refusal('KAFKA_SASL_PASSWORD'))
    expect(() => config({ ...sasl, KAFKA_SASL_PASSWORD_FILE: join('no', 'such') })).toThrow(
      refusal('KAFKA_SASL_PASSWORD_FILE cannot be read'),
    )
    const { KAFKA_SASL_USERNAME: _, ...nameless } = sasl
    const shown = messageOf(() => config({ ...nameless, KAFKA_SASL_PASSWORD: 'open sesame' }))
    expect(shown).toContain('KAFKA_SASL_USERNAME')
    expect(shown).not.toContain('sesame')
  })
})

describe('HTTP', () => {
  const token = 't'.repeat(32)

  it.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost'])('on %s asks for no token', (host) => {
    expect(config({ TIDEMARK_HTTP_HOST: host }).httpHost).toBe(host)
  })

  it.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org', ''])(
    'on %s leaves the machine and needs a long token',
    (host) => {
      const env = { TIDEMARK_HTTP_HOST: host }
      expect(() => config(env)).toThrow(refusal('TIDEMARK_HTTP_TOKEN'))
      expect(() => config({ ...env, TIDEMARK_HTTP_TOKEN: token.slice(1) })).toThrow(
        refusal('TIDEMARK_HTTP_TOKEN'),
      )
      expect(config({ ...env, TIDEMARK_HTTP_TOKEN: token }).httpToken).toBe(token)
    },
  )
})

function refusal(part: string) {
  return expect.objectContaining({ code: 'TM_CONFIG', message: expect.stringContaining(part) })
}

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-secret-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'secret')
  writeFileSync(file, text)
  return file
}

function messageOf(work: () => unknown): string {
  try {
    work()
    return ''
  } catch (error) {
    return String(error)
  }
}
