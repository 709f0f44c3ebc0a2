import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tidemarkError } from '../runtime/errors.ts'

/** Beside this file, and built or not as it is. */
const mainFile = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url))

export interface ServiceProcess {
  readonly name: string
  readonly instance: string
  /** Port of its status page. */
  readonly port: number
  readonly pid: number
  kill(signal: NodeJS.Signals): Promise<number | null>
}

export interface Supervisor {
  running(): readonly ServiceProcess[]
  /** kill -9, then a new process in its place. */
  replace(service: ServiceProcess): Promise<void>
  stop(): Promise<void>
}

export interface SuperviseOptions {
  readonly topologyPath: string
  readonly services: readonly string[]
  readonly instances: number
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** A process ended that nobody had asked to end. */
  onDeath(error: Error): void
}

/** Starts every service as so many processes, each with its own state folder and log, and waits until they answer. */
export async function supervise(options: SuperviseOptions): Promise<Supervisor> {
  const alive = new Map<string, ServiceProcess>()
  let stopping = false

  async function start(name: string, instance: string): Promise<void> {
    const service = await launch(name, instance, options, (code) => {
      if (alive.get(`${name}-${instance}`) !== service) return
      alive.delete(`${name}-${instance}`)
      if (!stopping) options.onDeath(died(name, instance, code, options.folder))
    })
    alive.set(`${name}-${instance}`, service)
  }

  const wanted = options.services.flatMap((name) =>
    Array.from({ length: options.instances }, (_, instance) => [name, String(instance)] as const),
  )
  await Promise.all(wanted.map(([name, instance]) => start(name, instance)))
  return {
    running: () => wanted.flatMap(([name, instance]) => alive.get(`${name}-${instance}`) ?? []),
    async replace(service) {
      alive.delete(`${service.name}-${service.instance}`)
      await service.kill('SIGKILL')
      await start(service.name, service.instance)
    },
    async stop() {
      stopping = true
      const codes = await Promise.all([...alive.values()].map((service) => service.kill('SIGTERM')))
      if (codes.some((code) => code !== 0))
        throw tidemarkError('TM_SERVICE_DIED', `exit codes ${codes.join(', ')}`)
    },
  }
}

function died(name: string, instance: string, code: number | null, folder: string): Error {
  const file = logFile(folder, name, instance)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-5) : []
  process.stderr.write(`${lines.join('\n')}\n`)
  return tidemarkError('TM_SERVICE_DIED', `${name}-${instance} ended with ${code ?? 'a signal'}`)
}

function logFile(folder: string, name: string, instance: string): string {
  return join(folder, `${name}-${instance}.log`)
}

function launch(
  name: string,
  instance: string,
  { topologyPath, folder, env }: SuperviseOptions,
  onExit: (code: number | null) => void,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [mainFile, 'start', name, '--topology', topologyPath], {
    env: {
      ...env,
      TIDEMARK_INSTANCE: instance,
      TIDEMARK_STATE: join(folder, 'state'),
      // This process asks for their progress, so they answer here, each on a port of its own.
      TIDEMARK_HTTP_HOST: '127.0.0.1',
      TIDEMARK_HTTP_PORT: '0',
      TIDEMARK_HTTP_TOKEN: undefined,
      TIDEMARK_HTTP_TOKEN_FILE: undefined,
    },
    // The child ends when its channel to this process closes, however this process ends.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  child.stderr?.pipe(createWriteStream(logFile(folder, name, instance), { flags: 'a' }))
  let isUp = false
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      if (isUp) onExit(code)
      else reject(died(name, instance, code, folder))
    })
    child.on('message', (message) => {
      if (!isReady(message)) return
      isUp = true
      resolve({
        name,
        instance,
        port: message.port,
        pid: child.pid!,
        kill: (signal) => kill(child, signal),
      })
    })
  })
}

function isReady(message: unknown): message is { port: number } {
  return (
    typeof message === 'object' && message !== null && 'port' in message && typeof message.port === 'number'
  )
}

function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    child.once('exit', (code) => resolve(code))
    child.kill(signal)
  })
}
