import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { answerHead, createScanner, readRequestHead, requestHead } from './frames.ts'
import { createLane, type Lane } from './lane.ts'
import { drop, type RuleBook, type Treatment } from './rules.ts'

export interface KafkaProxyOptions {
  /** The broker's id, for rules that name it. */
  readonly node: number
  /** Where clients come in, on loopback. */
  readonly port: number
  /** Where the broker listens, on loopback. */
  readonly brokerPort: number
  readonly book: RuleBook
}

/** A TCP proxy in front of one broker that knows which request each frame belongs to. */
export interface KafkaProxy {
  /** Lets clients in. */
  listen(): Promise<void>
  /** Refuses new connections, as a machine does on which the broker is down; those that are open stay. */
  refuse(): Promise<void>
  /** Refuses, and cuts what is open. */
  close(): Promise<void>
}

export function createKafkaProxy(options: KafkaProxyOptions): KafkaProxy {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const broker = connect({ host: '127.0.0.1', port: options.brokerPort, noDelay: true })
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    join(client, broker, options)
  })
  const refuse = async () => {
    if (!server.listening) return
    // The callback of close() waits for every open connection; the port is free at once.
    server.close()
  }
  return {
    async listen() {
      if (server.listening) return
      server.listen(options.port, '127.0.0.1')
      await once(server, 'listening')
    },
    refuse,
    async close() {
      await refuse()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Connects the two lanes of one connection. */
function join(client: Socket, broker: Socket, { node, book }: KafkaProxyOptions): void {
  /** The api key of each request that may still be answered, by correlation id. */
  const asked = new Map<number, number>()
  let clientId = ''
  let silent = false
  const reset = () => {
    client.resetAndDestroy()
    broker.resetAndDestroy()
  }
  const silence = () => {
    silent = true
  }

  const scanRequests = createScanner(requestHead, (bytes, sizeBytes): Treatment => {
    const head = readRequestHead(bytes)
    clientId = head.clientId
    const { apiKey } = head
    const treatment = book.treat({ apiKey, side: 'request', node, client: clientId, sizeBytes })
    if (treatment.kind !== 'drop') asked.set(head.correlationId, apiKey)
    return treatment
  })
  const scanAnswers = createScanner(answerHead, (bytes, sizeBytes): Treatment => {
    const correlationId = bytes.readInt32BE(4)
    const apiKey = asked.get(correlationId) ?? -1
    asked.delete(correlationId)
    if (silent) {
      book.touch()
      return drop
    }
    const treatment = book.treat({ apiKey, side: 'answer', node, client: clientId, sizeBytes })
    if (treatment.kind !== 'half-close') return treatment
    silence()
    return drop
  })

  const requests = createLane({ from: client, to: broker, reset, silence })
  const answers = createLane({ from: broker, to: client, reset, silence })
  pour(client, scanRequests, requests, reset)
  pour(broker, scanAnswers, answers, reset)
}

function pour(
  from: Socket,
  scan: ReturnType<typeof createScanner<Treatment>>,
  lane: Lane,
  reset: () => void,
): void {
  from.on('data', (chunk) => {
    try {
      lane.take(scan(chunk))
    } catch {
      // What comes is not Kafka's protocol: the scanner threw, and no rule can be applied any more.
      reset()
    }
  })
  // A reset is no error here: 'close' follows it, and the other side hears of it.
  from.on('error', () => {})
  from.on('close', () => lane.end())
}
