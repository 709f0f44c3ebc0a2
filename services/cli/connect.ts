import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../../deploy/local/cache.ts'
import { connectRegistry, type Registry } from '../runtime/codec/registry.ts'
import { type Config, compileConfig } from '../runtime/config.ts'
import { connectKafka, type Kafka } from '../runtime/kafka/client.ts'

/** The folder of the package: where `topologies`, `schemas` and the cache are. */
export const packageFolder = fileURLToPath(new URL('../../', import.meta.url))

/** The stack of a running `tidemark dev`, or of `tidemark broker up`: used when the environment names none. */
async function runningStack(
  env: NodeJS.ProcessEnv,
): Promise<{ brokers: string; registry: string } | undefined> {
  // A service that is told its broker starts without what looks for one.
  const { readDevStack } = await import('./dev-stack.ts')
  const { readBackground } = await import('../../deploy/local/background.ts')
  return readDevStack(cacheFolder(env)) ?? readBackground(env) ?? undefined
}

/** The environment, completed by the stack that runs on this machine. */
async function withRunningStack(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (env['KAFKA_BROKERS']) return env
  const stack = await runningStack(env)
  if (stack === undefined) return env
  return { ...env, KAFKA_BROKERS: stack.brokers, SCHEMA_REGISTRY_URL: stack.registry }
}

/** Whether the environment, or a stack that runs here, names a broker. */
export async function isGiven(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  return Boolean(env['KAFKA_BROKERS']) || (await runningStack(env)) !== undefined
}

export interface Connection extends AsyncDisposable {
  readonly config: Config
  readonly kafka: Kafka
  readonly registry: Registry
}

/** Kafka and the registry, as the environment names them. */
export async function connect(clientId: string, env: NodeJS.ProcessEnv = process.env): Promise<Connection> {
  const config = compileConfig(await withRunningStack(env), cacheFolder(env))
  const { brokers, allowPlaintext, requestTimeoutMs, tls, sasl } = config
  const kafka = connectKafka({
    brokers: [...brokers],
    clientId,
    allowPlaintext,
    requestTimeoutMs,
    ...(tls ? { tls: true as const } : {}),
    ...(sasl ? { sasl } : {}),
  })
  const registry = await connectRegistry(config.registry)
  return { config, kafka, registry, [Symbol.asyncDispose]: () => kafka.close() }
}
