import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Kinds of answers that no registry should give. `wrong-schema` is well-formed, but another one than was asked for. */
export const rubbishKinds = ['status-500', 'html', 'broken-json', 'wrong-schema'] as const
export type Rubbish = (typeof rubbishKinds)[number]

export interface RegistryProxy {
  /** The base URL of the registry's API through this proxy. */
  readonly url: string
  /** refuse: connections are refused. hang: requests are taken and never answered. */
  down(how: 'refuse' | 'hang'): Promise<void>
  /** Everything as it should be: up, quick, and right. */
  up(): Promise<void>
  slow(ms: number): void
  /** One kind of rubbish, all of them in turn, or none. */
  rubbish(which: Rubbish | 'all' | 'none'): void
  /** Requests that were refused an honest answer. A refused connection is not one. */
  readonly touched: number
  close(): Promise<void>
}

interface Mode {
  hangs: boolean
  delayMs: number
  rubbish: readonly Rubbish[]
}

/** An HTTP proxy in front of the schema registry, on a loopback port. */
export async function openRegistryProxy(registry: string, port: number): Promise<RegistryProxy> {
  const mode: Mode = { hangs: false, delayMs: 0, rubbish: [] }
  const agent = new Agent({ keepAlive: true })
  const target = new URL(registry)
  let touched = 0

  async function serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (mode.hangs || mode.delayMs > 0 || mode.rubbish.length > 0) touched += 1
    if (mode.hangs) return
    if (mode.delayMs > 0) await sleep(mode.delayMs)
    const kind = mode.rubbish[touched % mode.rubbish.length]
    if (kind === undefined || !giveRubbish(kind, asked, answer)) forward(asked, answer, target, agent)
  }

  const server = createServer((asked, answer) => void serve(asked, answer))
  const listen = async () => {
    if (server.listening) return
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const refuse = async () => {
    server.close()
    server.closeAllConnections()
  }
  await listen()
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${target.pathname}`,
    get touched() {
      return touched
    },
    async down(how) {
      mode.hangs = how === 'hang'
      if (how === 'refuse') await refuse()
    },
    async up() {
      Object.assign(mode, { hangs: false, delayMs: 0, rubbish: [] })
      // Nobody gets an answer any more to what was asked while it hung.
      server.closeAllConnections()
      await listen()
    },
    slow(ms) {
      mode.delayMs = ms
    },
    rubbish(which) {
      mode.rubbish = which === 'all' ? rubbishKinds : which === 'none' ? [] : [which]
    },
    async close() {
      await refuse()
      agent.destroy()
    },
  }
}

function forward(asked: IncomingMessage, answer: ServerResponse, target: URL, agent: Agent): void {
  const { method, url: path, headers } = asked
  const passed = request(
    { host: target.hostname, port: target.port, method, path, headers, agent },
    (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(answer)
    },
  )
  passed.on('error', () => answer.destroy())
  asked.pipe(passed)
}

/** Returns false for a question to which this kind has no answer. */
function giveRubbish(kind: Rubbish, asked: IncomingMessage, answer: ServerResponse): boolean {
  const json = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  if (kind === 'wrong-schema' && !/\/schemas\/ids\/\d+/.test(asked.url ?? '')) return false
  asked.resume()
  if (kind === 'status-500') {
    answer.writeHead(500, json).end('{"error_code":50001,"message":"Error in the backend data store"}')
  } else if (kind === 'html') {
    answer.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Sign in</body></html>')
  } else if (kind === 'broken-json') {
    answer.writeHead(200, json).end('{"schema":"{\\"type\\":')
  } else {
    answer.writeHead(200, json).end(JSON.stringify({ schema: JSON.stringify(otherSchema) }))
  }
  return true
}

const otherSchema = {
  type: 'record',
  name: 'SomebodyElse',
  fields: [{ name: 'elsewhere', type: 'string' }],
}
