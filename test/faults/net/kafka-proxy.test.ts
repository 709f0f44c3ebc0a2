import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { freePorts } from '../../../deploy/local/ports.ts'
import { type ApiName, answerHead, apis, createScanner, readRequestHead, requestHead } from './frames.ts'
import { createKafkaProxy, type KafkaProxy } from './kafka-proxy.ts'
import { createRuleBook, type RuleBook } from './rules.ts'

/** What the broker of these tests heard: the api and how many bytes of the frame, or how a connection ended. */
let heard: string[]
let broker: Server
let proxy: KafkaProxy
let book: RuleBook
let port: number

beforeEach(async () => {
  heard = []
  broker = createServer(serve).listen(0, '127.0.0.1')
  await once(broker, 'listening')
  ;[port = 0] = await freePorts(1)
  book = createRuleBook()
  proxy = createKafkaProxy({ node: 1, port, brokerPort: (broker.address() as { port: number }).port, book })
  await proxy.listen()
})

afterEach(async () => {
  await proxy.close()
  broker.close()
})

/** Answers each request, when it is whole, with its correlation id and 100 bytes. */
function serve(socket: Socket): void {
  // A connection of the test before may end during this one.
  const own = heard
  const scan = createScanner(requestHead, (head, frameBytes) => {
    const { apiKey, correlationId } = readRequestHead(head)
    return { apiKey, correlationId, leftBytes: frameBytes }
  })
  socket.on('data', (chunk: Buffer) => {
    for (const { treatment, bytes } of scan(chunk)) {
      treatment.leftBytes -= bytes.length
      if (treatment.leftBytes > 0) continue
      own.push(nameOf(treatment.apiKey))
      const answer = Buffer.alloc(108)
      answer.writeInt32BE(104)
      answer.writeInt32BE(treatment.correlationId, 4)
      socket.write(answer)
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => own.push('closed'))
}

interface Client {
  send(api: ApiName, bodyBytes?: number): void
  /** Correlation ids of the whole answers, in order; the first request has 0. */
  readonly answers: number[]
  readonly gotBytes: number
  readonly ended: Promise<void>
  destroy(): void
}

async function open(clientId = 'client'): Promise<Client> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  onTestFinished(() => {
    socket.destroy()
  })
  let correlationId = 0
  let gotBytes = 0
  const answers: number[] = []
  const scan = createScanner(answerHead, (head, leftBytes) => ({ id: head.readInt32BE(4), leftBytes }))
  socket.on('data', (chunk: Buffer) => {
    gotBytes += chunk.length
    for (const { treatment, bytes } of scan(chunk)) {
      treatment.leftBytes -= bytes.length
      if (treatment.leftBytes === 0) answers.push(treatment.id)
    }
  })
  socket.on('error', () => {})
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
  })
  return {
    answers,
    ended,
    get gotBytes() {
      return gotBytes
    },
    send(api, bodyBytes = 10) {
      const frame = Buffer.alloc(14 + clientId.length + bodyBytes)
      frame.writeInt32BE(frame.length - 4)
      frame.writeInt16BE(apis[api], 4)
      frame.writeInt32BE(correlationId++, 8)
      frame.writeInt16BE(clientId.length, 12)
      frame.write(clientId, 14)
      socket.write(frame)
    },
    destroy: () => socket.destroy(),
  }
}

const until = (holds: () => boolean) => expect.poll(holds, { interval: 2, timeout: 5_000 }).toBe(true)

function nameOf(apiKey: number): string {
  return Object.entries(apis).find(([, key]) => key === apiKey)![0]
}

describe('a proxy without rules', () => {
  it('passes large frames both ways, whole and in order', async () => {
    const client = await open()
    for (let i = 0; i < 50; i++) client.send(i % 2 ? 'Produce' : 'Fetch', 200_000)
    await until(() => client.answers.length === 50)
    expect(client.answers).toEqual(Array.from({ length: 50 }, (_, index) => index))
    expect(book.touched).toBe(0)
  })

  it('tells each side that the other is gone', async () => {
    const client = await open()
    client.send('Produce')
    await until(() => client.answers.length === 1)
    client.destroy()
    await until(() => heard.includes('closed'))
  })

  it('refuses connections when told to, keeps those that are open, and lets in again', async () => {
    const client = await open()
    await proxy.refuse()
    await expect(open()).rejects.toThrow('ECONNREFUSED')
    client.send('Fetch')
    await until(() => client.answers.length === 1)
    await proxy.listen()
    const other = await open()
    other.send('Fetch')
    await until(() => other.answers.length === 1)
  })

  it('cuts a connection that does not speak Kafka', async () => {
    const socket = connect(port, '127.0.0.1')
    const over = expect(once(socket, 'end')).rejects.toThrow('ECONNRESET')
    socket.write('GET / HTTP/1.1\r\nHost: broker\r\n\r\n')
    await over
    expect(heard).not.toContain('Produce')
  })
})

describe('a rule', () => {
  it('drops an answer of one api, and the socket stays open for the others', async () => {
    const rule = book.add({ api: 'EndTxn', side: 'answer', action: 'drop' })
    const client = await open()
    for (const api of ['Produce', 'EndTxn', 'Produce'] as const) client.send(api)
    await until(() => client.answers.length === 2)
    expect(client.answers).toEqual([0, 2])
    expect(heard).toEqual(['Produce', 'EndTxn', 'Produce'])
    expect([rule.hits, book.touched]).toEqual([1, 1])
  })

  it('drops a request: the broker never hears it', async () => {
    book.add({ api: 'EndTxn', side: 'request', action: 'drop', times: 1 })
    const client = await open()
    for (const api of ['EndTxn', 'Produce', 'EndTxn'] as const) client.send(api)
    await until(() => client.answers.length === 2)
    expect(heard).toEqual(['Produce', 'EndTxn'])
    expect(client.answers).toEqual([1, 2])
  })

  it('holds a request back, and all behind it, and delivers it after its sender has gone', async () => {
    const rule = book.add({ api: 'EndTxn', side: 'request', action: 'hold' })
    const client = await open()
    for (const api of ['Produce', 'EndTxn', 'Fetch'] as const) client.send(api)
    await rule.reached(1)
    await until(() => client.answers.length === 1)
    client.destroy()
    const other = await open()
    other.send('Heartbeat')
    await until(() => other.answers.length === 1)
    expect(heard).toEqual(['Produce', 'Heartbeat'])
    rule.release()
    await until(() => heard.includes('closed'))
    expect(heard).toEqual(['Produce', 'Heartbeat', 'EndTxn', 'Fetch', 'closed'])
  })

  it('delays an answer and keeps the order', async () => {
    book.add({ api: 'Produce', side: 'answer', action: 'delay', ms: 30, times: 1 })
    const client = await open()
    for (const api of ['Produce', 'Fetch', 'Produce'] as const) client.send(api)
    await until(() => client.answers.length === 3)
    expect(client.answers).toEqual([0, 1, 2])
  })

  it('resets both ends without delivering the frame', async () => {
    book.add({ api: 'Produce', side: 'request', action: 'reset' })
    const client = await open()
    client.send('Produce')
    await client.ended
    await until(() => heard.includes('closed'))
    expect(heard).toEqual(['closed'])
  })

  it('cuts a request in the middle', async () => {
    book.add({ api: 'Produce', side: 'request', action: 'cut' })
    const client = await open()
    client.send('Produce', 500_000)
    await client.ended
    await until(() => heard.includes('closed'))
    expect(heard).toEqual(['closed'])
  })

  it('cuts an answer in the middle', async () => {
    book.add({ api: 'Fetch', side: 'answer', action: 'cut' })
    const client = await open()
    client.send('Fetch')
    await client.ended
    expect([heard[0], client.gotBytes, client.answers]).toEqual(['Fetch', 54, []])
  })

  it('half-closes: the broker goes on hearing, the client hears nothing more', async () => {
    const rule = book.add({ api: 'Produce', side: 'request', action: 'half-close', times: 1 })
    const client = await open()
    for (const api of ['Fetch', 'Produce', 'Fetch', 'EndTxn'] as const) client.send(api)
    await until(() => heard.length === 4)
    const other = await open()
    other.send('Produce')
    await until(() => other.answers.length === 1)
    expect([client.answers, rule.hits]).toEqual([[], 1])
    // The request that began it, and the answers that were swallowed.
    expect(book.touched).toBeGreaterThan(1)
  })

  it('half-closes from an answer on', async () => {
    book.add({ api: 'Produce', side: 'answer', action: 'half-close', times: 1 })
    const client = await open()
    for (const api of ['Fetch', 'Produce', 'Fetch'] as const) client.send(api)
    await until(() => heard.length === 3 && book.touched === 2 && client.answers.length > 0)
    expect(client.answers).toEqual([0])
  })

  it('applies to one client, one broker, so many times, or a seeded share', async () => {
    const drops = { api: 'Produce', side: 'answer', action: 'drop' } as const
    book.add({ ...drops, client: 'somebody else' })
    book.add({ ...drops, node: 2 })
    const client = await open()
    client.send('Produce')
    await until(() => client.answers.length === 1)
    const hitsOf = (seed: number) => {
      const own = createRuleBook()
      const rule = own.add({ ...drops, share: 0.3, seed })
      const frame = { apiKey: 0, side: 'answer', node: 1, client: '', sizeBytes: 100 } as const
      const kinds = Array.from({ length: 1_000 }, () => own.treat(frame).kind)
      expect(rule.hits).toBe(kinds.filter((kind) => kind === 'drop').length)
      return kinds.join()
    }
    expect(hitsOf(5)).toBe(hitsOf(5))
    expect(hitsOf(5)).not.toBe(hitsOf(6))
    const hits = hitsOf(5).split('drop').length - 1
    expect(hits).toBeGreaterThan(250)
    expect(hits).toBeLessThan(350)
  })

  it('is over when it is removed, and lets go what it held', async () => {
    const rule = book.add({ api: 'any', side: 'request', action: 'hold' })
    const client = await open()
    client.send('Fetch')
    await rule.reached(1)
    rule.remove()
    client.send('Fetch')
    await until(() => client.answers.length === 2)
    expect(rule.hits).toBe(1)
  })
})
