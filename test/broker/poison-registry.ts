import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type RegistryMood = 'well' | 'down' | 'failing' | 'rubbish' | 'foreign-404'

/** Stands before the real registry, and answers for it when it is told to. */
export interface MoodyRegistry extends AsyncDisposable {
  readonly url: string
  mood: RegistryMood
  /** Requests that did not get the registry's own answer. */
  readonly spoilt: number
}

export async function openMoodyRegistry(registry: string): Promise<MoodyRegistry> {
  const state = { mood: 'well' as RegistryMood, spoilt: 0 }
  const server: Server = createServer(async (request, response) => {
    if (state.mood !== 'well') state.spoilt += 1
    if (state.mood === 'down') return void request.socket.destroy()
    if (state.mood === 'failing') return void response.writeHead(503).end('try later')
    if (state.mood === 'rubbish')
      return void response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<html>welcome to the café</html>')
    if (state.mood === 'foreign-404') return void response.writeHead(404).end('<html>no such page</html>')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const headers = new Headers({ accept: request.headers.accept ?? '*/*' })
    const type = request.headers['content-type']
    if (type !== undefined) headers.set('content-type', type)
    const answer = await fetch(`${registry}${request.url}`, {
      method: request.method ?? 'GET',
      headers,
      ...(body.length === 0 ? {} : { body }),
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get mood() {
      return state.mood
    },
    set mood(mood) {
      state.mood = mood
    },
    get spoilt() {
      return state.spoilt
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
