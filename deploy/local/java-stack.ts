import { isTidemarkError } from '../../services/runtime/errors.ts'
import { classArchives } from './class-archive.ts'
import { resolveJars } from './jars.ts'
import type { Jvms } from './jvms.ts'
import { endInOrder, prepareJvms, registryUrl, restartNode, startJvms } from './jvms.ts'
import type { Stack, TotalOptions } from './stack.ts'
import { isDeadly } from './stack.ts'
import type { Running, Supervision } from './supervision.ts'
import { supervise } from './supervision.ts'

/** Kafka and Apicurio Registry as JVMs on this machine, on free loopback ports, ready to use. */
export async function bringUpOnJava(options: TotalOptions): Promise<Stack> {
  const attempts = 3
  for (let attempt = 1; ; attempt++) {
    const supervision = supervise()
    try {
      return stackOf(await start(supervision, options))
    } catch (error) {
      await supervision.close()
      // Someone else may take a port between the look and the bind.
      if (attempt === attempts || !isTidemarkError(error) || !error.message.includes('already in use'))
        throw error
    }
  }
}

async function start(supervision: Supervision, options: TotalOptions): Promise<Jvms> {
  const { env, onProgress } = options
  const jars = await resolveJars(env, supervision, onProgress)
  const { kafka, registry } = await classArchives(env, jars, onProgress)
  const jvms = await prepareJvms({ supervision, jars, kafka, registry }, options)
  await startJvms(jvms)
  return jvms
}

function stackOf(jvms: Jvms): Stack {
  const stop = once(() => stopAll(jvms))
  return {
    rung: 'java',
    brokers: jvms.nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
    registry: registryUrl(jvms.registryPort),
    get nodes() {
      return jvms.nodes.map(({ id }) => ({ id, pid: pidOf(jvms.running.get(id)) }))
    },
    async kill(id, signal = 'SIGKILL') {
      const running = runningNode(jvms, id)
      running.signal(signal)
      if (isDeadly(signal)) await running.ended
    },
    restart: (id) => restartNode(jvms, id),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Data that is kept is closed in order; data that goes away with the stack needs no ceremony. */
async function stopAll(jvms: Jvms): Promise<void> {
  if (jvms.isKept) await endInOrder(jvms, 15_000)
  await jvms.supervision.close()
}

function runningNode(jvms: Jvms, id: number): Running {
  const running = jvms.running.get(id)
  if (!running || running.hasEnded()) throw new Error(`node ${id} is not running`)
  return running
}

function pidOf(running: Running | undefined): number | null {
  return running && !running.hasEnded() ? running.pid : null
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
