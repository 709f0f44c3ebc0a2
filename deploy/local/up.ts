import { tidemarkError } from '../../services/runtime/errors.ts'
import { areJarsCached } from './jars.ts'
import { bringUpOnJava } from './java-stack.ts'
import { chooseRung } from './ladder.ts'
import { probe } from './probe.ts'
import type { BringUpOptions, Stack } from './stack.ts'

/**
 * Kafka and a schema registry, ready to use, from the best rung of the ladder that this machine has. Whoever calls it
 * stops it; if the process ends without, in whatever way, nothing that was started here outlives it.
 *
 * @throws TM_NO_BROKER when no rung holds, naming the ways; TM_BROKER_AWAY when what was started does not answer.
 */
export async function bringUp(options: BringUpOptions = {}): Promise<Stack> {
  const { nodes = 1, onProgress = () => {}, env = process.env } = options
  const total = { ...options, nodes, onProgress, env }
  const choice = chooseRung(await probe(env, areJarsCached(env)))
  switch (choice.rung) {
    case 'given':
      return givenStack(choice.brokers, choice.registry)
    case 'docker': {
      const { bringUpInDocker } = await import('./docker-stack.ts')
      return bringUpInDocker(total)
    }
    case 'java':
      return bringUpOnJava(total)
    case 'none':
      throw tidemarkError('TM_NO_BROKER', choice.message)
  }
}

function givenStack(brokers: string, registry: string): Stack {
  const refuse = () =>
    Promise.reject(new Error('nodes that were given with KAFKA_BROKERS are not ours to kill or start'))
  const stop = () => Promise.resolve()
  return {
    rung: 'given',
    brokers,
    registry,
    nodes: [],
    kill: refuse,
    restart: refuse,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
