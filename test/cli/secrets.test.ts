import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../tidy/files.ts'

const main = join(root, 'services', 'cli', 'main.ts')
const topology = join(root, 'topologies', 'flight-delay')

const secrets = {
  sasl: 'sasl-canary-8841',
  registry: 'registry-canary-8842',
  token: 'token-canary-8843-token-canary-8843',
  short: 'short-canary-8844',
}

const { KAFKA_BROKERS: _, SCHEMA_REGISTRY_URL: __, ...plainEnv } = process.env

let folder: string
let registry: string
const servers: Server[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-secrets-'))
  writeFileSync(join(folder, 'password'), `${secrets.sasl}\n`)
  // A rude registry: it repeats what it was given, and refuses it.
  const server = createServer((request, response) => {
    const { authorization = '' } = request.headers
    const given = Buffer.from(authorization.split(' ')[1] ?? '', 'base64').toString()
    response.writeHead(request.url?.includes('down') ? 500 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error_code: 401, message: `no: ${authorization} ${given}` }))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  registry = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(folder, { recursive: true })
})

interface Ended {
  readonly code: number
  readonly said: string
}

function tidemark(args: readonly string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const options = {
      env: { ...plainEnv, TIDEMARK_CACHE: folder, TIDEMARK_STATE: folder, ...env },
      timeout: 20_000,
    }
    execFile(process.execPath, ['--no-warnings', main, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: `${out}${err}` })
    })
  })
}

const given = (): Record<string, string> => ({
  KAFKA_BROKERS: '127.0.0.1:1',
  SCHEMA_REGISTRY_URL: `http://someone:${secrets.registry}@${registry}/base`,
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: 'someone',
  KAFKA_SASL_PASSWORD: secrets.sasl,
  TIDEMARK_HTTP_TOKEN: secrets.token,
})

describe.concurrent('a secret is not printed', { timeout: 120_000 }, () => {
  it('by broker up, as text or JSON: the address of the registry comes without its credentials', async () => {
    for (const args of [
      ['broker', 'up'],
      ['broker', 'up', '--json'],
    ]) {
      const { code, said } = await tidemark(args, given())
      expect(code).toBe(0)
      expect(said).toContain(`http://${registry}/base`)
      expect(said).toContain('the credentials in SCHEMA_REGISTRY_URL are not repeated here')
      expectNoSecret(said)
    }
  })

  it.each<[string, readonly string[], Record<string, string>]>([
    ['a wrong mechanism', ['tail', 'x'], { KAFKA_SASL_MECHANISM: 'ntlm' }],
    ['a registry that is no URL', ['tail', 'x'], { SCHEMA_REGISTRY_URL: `http://a:${secrets.registry}@[` }],
    ['a file that is not there', ['tail', 'x'], { KAFKA_SASL_PASSWORD_FILE: '/no/such/file' }],
    [
      'a token that is too short',
      ['start', 'features', '--topology', topology],
      { TIDEMARK_HTTP_HOST: '0.0.0.0', TIDEMARK_HTTP_TOKEN: secrets.short },
    ],
    ['a misspelt setting', ['tail', 'x'], { TIDEMARK_HTTP_TOKN: secrets.token }],
  ])('by a command that fails: %s', async (_, args, env) => {
    const { code, said } = await tidemark(args, { ...given(), ...env })
    expect(code).not.toBe(0)
    expect(said).toMatch(/^TM_(CONFIG|USAGE): /)
    expectNoSecret(said)
  })
})

describe.concurrent('what a registry says of credentials is not repeated', { timeout: 120_000 }, () => {
  it.each([
    ['base', 'TM_CONFIG'],
    ['down', 'TM_REGISTRY_AWAY'],
  ])('when it answers under /%s', async (path, code) => {
    const { connectRegistry } = await import('../../services/runtime/codec/registry.ts')
    const { describeError } = await import('../../services/runtime/errors.ts')
    const client = connectRegistry(`http://someone:${secrets.registry}@${registry}/${path}`)
    const error = await client.latestId('subject').then(
      () => expect.unreachable('it refuses everything'),
      (reason: unknown) => reason,
    )
    expect(describeError(error)).toContain(code)
    expectNoSecret(describeError(error))
  })
})

function expectNoSecret(said: string): void {
  const forms = Object.values(secrets).flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').slice(2, -4),
    Buffer.from(`someone:${secret}`).toString('base64').slice(2, -4),
  ])
  expect(forms.filter((form) => said.includes(form))).toEqual([])
}
