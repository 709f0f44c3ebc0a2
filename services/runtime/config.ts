import { join } from 'node:path'
import { tidemarkError } from './errors.ts'

/** Everything a service takes from its surroundings; nobody else reads the environment. */
export interface Config {
  readonly brokers: readonly string[]
  readonly registry: string
  readonly instance: string
  readonly stateFolder: string
  readonly httpHost: string
  readonly httpPort: number
  readonly logLevel: string
  readonly sessionTimeoutMs: number
  readonly commitIntervalMs: number
  readonly allowPlaintext: boolean
}

const names = new Set([
  'TIDEMARK_INSTANCE',
  'TIDEMARK_STATE',
  'TIDEMARK_HTTP_HOST',
  'TIDEMARK_HTTP_PORT',
  'TIDEMARK_LOG_LEVEL',
  'TIDEMARK_SESSION_TIMEOUT_MS',
  'TIDEMARK_COMMIT_INTERVAL_MS',
  'TIDEMARK_ALLOW_PLAINTEXT',
  'TIDEMARK_CACHE',
])

type Environment = Readonly<Record<string, string | undefined>>

/** Sparse settings in, total settings out. A misspelt TIDEMARK_ variable is an error, not a silence. */
export function compileConfig(env: Environment, cacheFolder: string): Config {
  for (const name of Object.keys(env)) {
    if (name.startsWith('TIDEMARK_') && !names.has(name)) {
      throw tidemarkError('TM_CONFIG', `${name} is not a setting; there are ${[...names].join(', ')}`)
    }
  }
  const config = {
    brokers: required(env, 'KAFKA_BROKERS')
      .split(',')
      .map((each) => each.trim()),
    registry: required(env, 'SCHEMA_REGISTRY_URL'),
    instance: env['TIDEMARK_INSTANCE'] ?? '0',
    stateFolder: env['TIDEMARK_STATE'] ?? join(cacheFolder, 'state'),
    httpHost: env['TIDEMARK_HTTP_HOST'] ?? '127.0.0.1',
    httpPort: whole(env, 'TIDEMARK_HTTP_PORT', 0, 0, 65_535),
    logLevel: env['TIDEMARK_LOG_LEVEL'] ?? 'info',
    sessionTimeoutMs: whole(env, 'TIDEMARK_SESSION_TIMEOUT_MS', 6_000, 1_000, 300_000),
    commitIntervalMs: whole(env, 'TIDEMARK_COMMIT_INTERVAL_MS', 10, 1, 60_000),
    allowPlaintext: env['TIDEMARK_ALLOW_PLAINTEXT'] === '1',
  }
  if (!/^[\w.-]{1,64}$/.test(config.instance)) {
    throw tidemarkError('TM_CONFIG', 'TIDEMARK_INSTANCE takes letters, digits, dot, dash and underscore')
  }
  return config
}

function required(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value.trim() === '') throw tidemarkError('TM_CONFIG', `${name} is not set`)
  return value
}

function whole(env: Environment, name: string, standard: number, least: number, most: number): number {
  const text = env[name]
  if (text === undefined) return standard
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw tidemarkError('TM_CONFIG', `${name} takes a whole number from ${least} to ${most}`)
  }
  return value
}
