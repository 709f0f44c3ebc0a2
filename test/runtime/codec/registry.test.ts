import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { catalogue } from '../../../schemas/catalogue.ts'
import { connectRegistry } from '../../../services/runtime/codec/registry.ts'
import { registryAddress } from '../../../services/runtime/codec/registry-http.ts'

type Reply = { status: number; body?: unknown; text?: string }
type Handler = (request: string, authorization: string | undefined) => Reply | 'hang'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A registry that answers as told. */
async function registryThat(handler: Handler) {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    requests.push(line)
    const reply =
      line === 'GET /subjects' ? { status: 200, body: [] } : handler(line, request.headers.authorization)
    if (reply === 'hang') return
    response.writeHead(reply.status, { 'content-type': 'application/json' })
    response.end(reply.text ?? JSON.stringify(reply.body ?? {}))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, requests }
}

const schema = catalogue.Control.schema
const found: Reply = { status: 200, body: { schema: JSON.stringify(schema) } }
const unknown: Reply = { status: 404, body: { error_code: 40403, message: 'Schema not found' } }
const away = { code: 'TM_REGISTRY_AWAY' }

describe('a schema by its id', () => {
  it('comes whole, with its defaults and symbols', async () => {
    const { url } = await registryThat(() => found)
    const stored = (await connectRegistry(url).schemas([1])).get(1)
    const { doc: _, ...rest } = schema
    expect(stored).toMatchObject({
      known: true,
      schema: { name: 'io.tidemark.Control', fields: { length: rest.fields.length } },
    })
    expect(JSON.stringify(stored)).toContain('"default":false')
  })

  it('that the registry does not have is unknown, not an outage', async () => {
    const { url } = await registryThat(() => unknown)
    expect((await connectRegistry(url).schemas([7])).get(7)).toEqual({
      known: false,
      detail: 'schema 7 is not in the registry',
    })
  })

  it.each([
    ['fails', { status: 500 }],
    ['is overloaded', { status: 429 }],
    ['is hidden by a proxy that says 404', { status: 404, text: '<html>' }],
  ] as const)('is not unknown when the registry %s', async (_, reply) => {
    const { url } = await registryThat(() => reply)
    await expect(connectRegistry(url).schemas([7])).rejects.toMatchObject(away)
  })

  it('is not unknown when the registry accepts a connection and says nothing', async () => {
    const { url } = await registryThat(() => 'hang')
    await expect(connectRegistry(url, { timeoutMs: 50 }).schemas([7])).rejects.toMatchObject(away)
  })

  it('is not unknown when nobody listens', async () => {
    await expect(connectRegistry('http://127.0.0.1:1').schemas([7])).rejects.toMatchObject(away)
  })

  it('that is no Avro is bad data', async () => {
    const { url } = await registryThat(() => ({
      status: 200,
      body: { schemaType: 'JSON', schema: '{"type":"object"}' },
    }))
    expect((await connectRegistry(url).schemas([7])).get(7)).toMatchObject({ known: false })
  })

  it('that is broken is bad data', async () => {
    const { url } = await registryThat(() => ({ status: 200, body: { schema: '{"type":"nope"}' } }))
    expect((await connectRegistry(url).schemas([7])).get(7)).toMatchObject({ known: false })
  })
})

describe('a registry that is away', () => {
  it.each<[string, Reply]>([
    ['a page of HTML', { status: 200, text: '<html>welcome</html>' }],
    ['nothing', { status: 200, text: '' }],
    ['JSON of another kind', { status: 200, body: { hello: 'world' } }],
  ])('is not unknown when what answers gives %s', async (_, reply) => {
    const { url } = await registryThat(() => reply)
    await expect(connectRegistry(url).schemas([1])).rejects.toMatchObject(away)
  })

  it('is read when rubbish came first, and then the registry', async () => {
    let asked = 0
    const { url } = await registryThat(() => {
      asked += 1
      return asked === 1 ? { status: 200, text: '<html>welcome</html>' } : found
    })
    expect((await connectRegistry(url).schemas([1])).get(1)).toMatchObject({ known: true })
  })

  it('is left alone after a few failures', async () => {
    const { url, requests } = await registryThat(() => ({ status: 404, text: '' }))
    const registry = connectRegistry(url)
    for (let id = 0; id < 10; id++) await expect(registry.schemas([id])).rejects.toMatchObject(away)
    const asked = new Set(requests.filter((line) => line.startsWith('GET /schemas')))
    expect(asked).toEqual(new Set([0, 1, 2].map((id) => `GET /schemas/ids/${id}`)))
  })

  it('is asked again after unknown ids, however many', async () => {
    const { url, requests } = await registryThat(() => unknown)
    const registry = connectRegistry(url)
    for (let id = 0; id < 10; id++) await registry.schemas([id])
    expect(new Set(requests).size).toBe(11)
  })
})

describe('an address', () => {
  it('may hold the credentials, which are then sent as a header', async () => {
    const seen: (string | undefined)[] = []
    const { url } = await registryThat((_, authorization) => {
      seen.push(authorization)
      return found
    })
    await connectRegistry(url.replace('//', '//user:p%40ss@')).schemas([1])
    expect(seen).toEqual([`Basic ${Buffer.from('user:p@ss').toString('base64')}`])
  })

  it('loses credentials and the last slash', () => {
    expect(registryAddress('https://u:p@host:8081/apis/ccompat/v7/')).toEqual({
      url: 'https://host:8081/apis/ccompat/v7',
      auth: { username: 'u', password: 'p' },
    })
  })

  it('that is no URL is a mistake in the settings', () => {
    expect(() => connectRegistry('nonsense')).toThrow(expect.objectContaining({ code: 'TM_CONFIG' }))
  })

  it('where something else answers is a mistake in the settings', async () => {
    const { url } = await registryThat(() => ({ status: 404, text: 'no such page' }))
    await expect(connectRegistry(`${url}/wrong`).schemas([1])).rejects.toMatchObject({ code: 'TM_CONFIG' })
  })

  it('with wrong credentials is a mistake in the settings', async () => {
    const { url } = await registryThat(() => ({ status: 401 }))
    await expect(connectRegistry(url).latestId('t-value')).rejects.toMatchObject({ code: 'TM_CONFIG' })
  })
})

describe('registering', () => {
  it.each([409, 422])('names the subject when the registry refuses the schema with %i', async (status) => {
    const { url } = await registryThat((line) => {
      if (line.startsWith('GET /config')) return { status: 200, body: { compatibilityLevel: 'FULL' } }
      return { status, body: { error_code: status, message: 'incompatible' } }
    })
    const registering = connectRegistry(url).register('t-value', schema, 'FULL')
    await expect(registering).rejects.toMatchObject({
      code: 'TM_SCHEMA',
      message: expect.stringContaining('t-value'),
    })
  })
})
