import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { freePorts } from '../../../deploy/local/ports.ts'
import { openRegistryProxy, type RegistryProxy, rubbishKinds } from './registry-proxy.ts'

const registry = createServer((asked, answer) => {
  let body = ''
  asked.on('data', (chunk: Buffer) => {
    body += String(chunk)
  })
  asked.on('end', () => answer.writeHead(asked.method === 'POST' ? 201 : 200).end(`${asked.url} ${body}`))
})
let proxy: RegistryProxy

beforeAll(async () => {
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  const [port = 0] = await freePorts(1)
  proxy = await openRegistryProxy(`http://127.0.0.1:${(registry.address() as AddressInfo).port}/api`, port)
})
beforeEach(() => proxy.up())
afterAll(async () => {
  await proxy.close()
  registry.close()
  registry.closeAllConnections()
})

const ask = async (path: string, init: RequestInit = {}) => {
  const answer = await fetch(`${proxy.url}${path}`, { signal: AbortSignal.timeout(5_000), ...init })
  return { status: answer.status, text: await answer.text() }
}

it('passes questions and answers on', async () => {
  expect(await ask('/schemas/ids/1')).toEqual({ status: 200, text: '/api/schemas/ids/1 ' })
  expect(await ask('/subjects', { method: 'POST', body: 'x' })).toEqual({
    status: 201,
    text: '/api/subjects x',
  })
})

it('is down by refusing, and up again on the same port', async () => {
  await proxy.down('refuse')
  await expect(ask('/subjects')).rejects.toThrow('fetch failed')
  await proxy.up()
  expect((await ask('/subjects')).status).toBe(200)
})

it('is down by never answering; what was asked then fails when it is up again', async () => {
  await proxy.down('hang')
  const before = proxy.touched
  const failed = expect(ask('/subjects')).rejects.toThrow('fetch failed')
  await expect.poll(() => proxy.touched, { interval: 2 }).toBe(before + 1)
  await proxy.up()
  await failed
  expect((await ask('/subjects')).status).toBe(200)
})

it.each(rubbishKinds)('answers %s where a schema was asked for', async (kind) => {
  proxy.rubbish(kind)
  const { status, text } = await ask('/schemas/ids/1')
  const seen = {
    'status-500': status === 500,
    html: status === 200 && text.startsWith('<html>'),
    'broken-json': status === 200 && text.startsWith('{"schema"') && !isJson(text),
    'wrong-schema': isJson(text) && text.includes('SomebodyElse'),
  }
  expect(Object.entries(seen).filter(([, yes]) => yes)).toEqual([[kind, true]])
})

it('answers the wrong schema to nothing but the question for one', async () => {
  proxy.rubbish('wrong-schema')
  expect((await ask('/subjects')).text).toBe('/api/subjects ')
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
