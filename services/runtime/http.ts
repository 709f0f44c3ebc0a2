import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from './config.ts'
import { tidemarkError } from './errors.ts'
import type { Metrics } from './metrics.ts'
import type { TaskStatus } from './task.ts'

export interface Health {
  /** False when the loop has stopped making rounds. */
  alive(): boolean
  /** False while the group is joined or a task is being restored. */
  ready(): boolean
  statuses(): TaskStatus[]
}

export interface Http {
  readonly port: number
  close(): Promise<void>
}

/** `/health`, `/ready`, `/metrics` and `/status`, for probes, Prometheus and the progress lines. */
export async function serveHttp(
  { httpHost, httpPort, httpToken }: Pick<Config, 'httpHost' | 'httpPort' | 'httpToken'>,
  health: Health,
  metrics: Metrics,
): Promise<Http> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' })
      response.end(body)
    }
    const flag = (ok: boolean) => answer(ok ? 200 : 503, 'text/plain', ok ? 'ok\n' : 'not yet\n')
    if (!isAllowed(request, httpToken)) return answer(401, 'text/plain', 'a bearer token is needed\n')
    if (request.method !== 'GET') return answer(405, 'text/plain', 'only GET\n')
    const path = request.url?.split('?')[0]
    if (path === '/health') return flag(health.alive())
    if (path === '/ready') return flag(health.ready())
    if (path === '/status')
      return answer(200, 'application/json', JSON.stringify(health.statuses().map(plain)))
    if (path !== '/metrics') return answer(404, 'text/plain', 'unknown path\n')
    metrics.registry.metrics().then(
      (text) => answer(200, metrics.registry.contentType, text),
      () => answer(500, 'text/plain', 'no metrics\n'),
    )
  })
  server.requestTimeout = 10_000
  await listen(server, httpHost, httpPort)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function isAllowed({ headers }: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return true
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(headers.authorization ?? ''), digest(`Bearer ${token}`))
}

function plain({ progress, ...status }: TaskStatus): Record<string, unknown> {
  if (progress === undefined) return status
  const { position, watermark, counts, index } = progress
  return { ...status, position, watermark, counts, written: index }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(tidemarkError('TM_CONFIG', `cannot listen on ${host}:${port}: ${error.message}`, error)),
    )
    server.listen(port, host, () => resolve())
  })
}
