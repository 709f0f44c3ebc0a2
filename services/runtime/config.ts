import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tidemarkError } from './errors.ts'
import type { Guarantee, Sasl } from './kafka/client.ts'

/** Everything a service takes from its surroundings; nobody else reads the environment. */
export interface Config {
  readonly brokers: readonly string[]
  readonly registry: string
  readonly tls: boolean
  readonly sasl: Sasl | undefined
  /** Plaintext to a broker that is not on this machine. */
  readonly allowPlaintext: boolean
  readonly instance: string
  readonly stateFolder: string
  readonly httpHost: string
  readonly httpPort: number
  /** Asked of every request when the address is not loopback. */
  readonly httpToken: string | undefined
  readonly logLevel: string
  readonly sessionTimeoutMs: number
  readonly commitIntervalMs: number
  /** How long Kafka may take for one answer. A commit without one is in doubt, and a new writer settles it. */
  readonly requestTimeoutMs: number
  readonly guarantee: Guarantee
  /** What the values that the tasks of a process keep decoded may take together, in bytes. */
  readonly memoryBytes: number
  readonly scrubIntervalMs: number
}

const names = new Set([
  'TIDEMARK_ALLOW_PLAINTEXT',
  'TIDEMARK_CACHE',
  'TIDEMARK_COMMIT_INTERVAL_MS',
  'TIDEMARK_GUARANTEE',
  'TIDEMARK_HTTP_HOST',
  'TIDEMARK_HTTP_PORT',
  'TIDEMARK_HTTP_TOKEN',
  'TIDEMARK_HTTP_TOKEN_FILE',
  'TIDEMARK_INSTANCE',
  'TIDEMARK_LOG_LEVEL',
  'TIDEMARK_MEMORY_MB',
  'TIDEMARK_REQUEST_TIMEOUT_MS',
  'TIDEMARK_SCRUB_INTERVAL_MS',
  'TIDEMARK_SESSION_TIMEOUT_MS',
  'TIDEMARK_STATE',
])

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

type Environment = Readonly<Record<string, string | undefined>>

/** Sparse settings in, total settings out. A misspelt TIDEMARK_ variable is an error, not a silence. */
export function compileConfig(env: Environment, cacheFolder: string): Config {
  for (const name of Object.keys(env)) {
    if (name.startsWith('TIDEMARK_') && !names.has(name)) {
      throw tidemarkError('TM_CONFIG', `${name} is not a setting; there are ${[...names].join(', ')}`)
    }
  }
  const config: Config = {
    brokers: brokersOf(env),
    registry: required(env, 'SCHEMA_REGISTRY_URL'),
    tls: flag(env, 'KAFKA_TLS'),
    sasl: saslOf(env),
    allowPlaintext: flag(env, 'TIDEMARK_ALLOW_PLAINTEXT'),
    instance: env['TIDEMARK_INSTANCE'] ?? '0',
    stateFolder: env['TIDEMARK_STATE'] ?? join(cacheFolder, 'state'),
    httpHost: env['TIDEMARK_HTTP_HOST'] ?? '127.0.0.1',
    httpPort: whole(env, 'TIDEMARK_HTTP_PORT', 0, 0, 65_535),
    httpToken: secret(env, 'TIDEMARK_HTTP_TOKEN'),
    logLevel: env['TIDEMARK_LOG_LEVEL'] ?? 'info',
    sessionTimeoutMs: whole(env, 'TIDEMARK_SESSION_TIMEOUT_MS', 6_000, 1_000, 300_000),
    commitIntervalMs: whole(env, 'TIDEMARK_COMMIT_INTERVAL_MS', 10, 1, 60_000),
    requestTimeoutMs: whole(env, 'TIDEMARK_REQUEST_TIMEOUT_MS', 10_000, 500, 300_000),
    guarantee: guaranteeOf(env),
    memoryBytes: whole(env, 'TIDEMARK_MEMORY_MB', 128, 1, 1_000_000) * 1024 * 1024,
    scrubIntervalMs: whole(env, 'TIDEMARK_SCRUB_INTERVAL_MS', 600_000, 100, 86_400_000),
  }
  return checked(config)
}

function checked(config: Config): Config {
  if (!/^[\w.-]{1,64}$/.test(config.instance)) {
    throw tidemarkError('TM_CONFIG', 'TIDEMARK_INSTANCE takes letters, digits, dot, dash and underscore')
  }
  if (!logLevels.includes(config.logLevel)) {
    throw tidemarkError('TM_CONFIG', `TIDEMARK_LOG_LEVEL is one of ${logLevels.join(', ')}`)
  }
  if (!isLoopback(config.httpHost) && (config.httpToken ?? '').length < 32) {
    throw tidemarkError(
      'TM_CONFIG',
      'TIDEMARK_HTTP_HOST leaves this machine, so TIDEMARK_HTTP_TOKEN must have 32 characters or more',
    )
  }
  return config
}

function brokersOf(env: Environment): string[] {
  const brokers = required(env, 'KAFKA_BROKERS')
    .split(',')
    .map((each) => each.trim())
  const wrong = brokers.some((each) => !/^.+:\d+$/.test(each))
  if (wrong) throw tidemarkError('TM_CONFIG', 'KAFKA_BROKERS takes host:port, more than one with commas')
  return brokers
}

function flag(env: Environment, name: string): boolean {
  const text = env[name]
  if (text === undefined || text === '0') return false
  if (text !== '1') throw tidemarkError('TM_CONFIG', `${name} takes 0 or 1`)
  return true
}

function guaranteeOf(env: Environment): Guarantee {
  const guarantee = env['TIDEMARK_GUARANTEE'] ?? 'exactly-once'
  if (guarantee === 'exactly-once' || guarantee === 'at-least-once') return guarantee
  throw tidemarkError('TM_CONFIG', 'TIDEMARK_GUARANTEE is exactly-once or at-least-once')
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function saslOf(env: Environment): Sasl | undefined {
  const text = env['KAFKA_SASL_MECHANISM']
  if (text === undefined) return undefined
  const mechanism = mechanisms.find((each) => each === text.toLowerCase())
  if (mechanism === undefined)
    throw tidemarkError('TM_CONFIG', `KAFKA_SASL_MECHANISM is one of ${mechanisms.join(', ')}`)
  const password = secret(env, 'KAFKA_SASL_PASSWORD')
  if (password === undefined)
    throw tidemarkError('TM_CONFIG', 'KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE is not set')
  return { mechanism, username: required(env, 'KAFKA_SASL_USERNAME'), password }
}

/** A secret comes from a variable, or from the file that the variable with _FILE names. It is never printed. */
function secret(env: Environment, name: string): string | undefined {
  const file = env[`${name}_FILE`]
  if (file === undefined) return env[name]
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw tidemarkError('TM_CONFIG', `${name}_FILE cannot be read`, error)
  }
}

function required(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value.trim() === '') throw tidemarkError('TM_CONFIG', `${name} is not set`)
  return value
}

function whole(env: Environment, name: string, standard: number, least: number, most: number): number {
  const text = env[name]
  if (text === undefined) return standard
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw tidemarkError('TM_CONFIG', `${name} takes a whole number from ${least} to ${most}`)
  }
  return value
}
