import net from 'node:net'
import tls, { type ConnectionOptions } from 'node:tls'
import kafkajsModule, { type Kafka as KafkaJs, type SASLOptions } from 'kafkajs'
import { type Admin, openAdmin } from './admin.ts'
import type { CodecName } from './compression.ts'
import { KafkaRefused } from './failures.ts'
import { type Fetcher, openFetcher } from './fetch.ts'
import { calmRequestQueue, shortRetry, startConnectionsAfresh } from './kafkajs-internals.ts'
import { createMember, type Member, type MemberOptions } from './membership.ts'
import { openPlainWriter, openWriter, type PlainWriter, type Writer } from './writer.ts'

export interface Sasl {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  username: string
  password: string
}

export interface KafkaSettings {
  brokers: string[]
  clientId: string
  /** True for the system's certificate authorities, or what node:tls takes. */
  tls?: true | ConnectionOptions
  sasl?: Sasl
  /** Plaintext to anything but a loopback address is refused without this. */
  allowPlaintext?: boolean
  /** How long one answer may take. Default 30 s. */
  requestTimeoutMs?: number
  /** The largest size of one record batch after decompression. Default 64 MiB. */
  maxBatchBytes?: number
}

/** What a commit promises to readers: see `Writer.commit`. */
export type Guarantee = 'exactly-once' | 'at-least-once'

export interface WriterOptions {
  transactionalId: string
  /** Default exactly once. */
  guarantee?: Guarantee
  /** After this time the coordinator aborts a transaction that was left open. Default 30 s. */
  timeoutMs?: number
  /** Default none. */
  compression?: CodecName
}

/** The one door to Kafka. */
export interface Kafka {
  admin(): Promise<Admin>
  member(options: MemberOptions): Member
  /** With its own connections. */
  fetcher(): Promise<Fetcher>
  /** When this resolves, every earlier writer with the same id is fenced and its open transaction ended. */
  writer(options: WriterOptions): Promise<Writer>
  plainWriter(options?: { compression?: CodecName }): Promise<PlainWriter>
  close(): Promise<void>
}

/** Nothing is sent before the first method is called. @throws KafkaRefused for plaintext to a remote broker */
export function connectKafka(settings: KafkaSettings): Kafka {
  for (const broker of settings.brokers) refusePlaintext(settings, hostOf(broker))
  calmRequestQueue()
  startConnectionsAfresh()
  const kafkajs = makeKafkaJs(settings)
  const open = new Set<() => Promise<void>>()
  /** Keeps what was opened until it is closed. */
  const keep = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const opened = await opening
    const close = opened.close.bind(opened)
    open.add(close)
    opened.close = async () => {
      open.delete(close)
      await close()
    }
    return opened
  }
  return {
    admin: () => keep(openAdmin(kafkajs)),
    member(options) {
      const member = createMember(kafkajs, options)
      open.add(member.stop)
      return member
    },
    fetcher: () => keep(openFetcher(kafkajs, settings.maxBatchBytes ?? 64 * 1024 * 1024)),
    writer: (options) => keep(openWriter(kafkajs, options)),
    plainWriter: (options) => keep(openPlainWriter(kafkajs, options?.compression ?? 'none')),
    async close() {
      const closing = [...open].map((close) => close())
      open.clear()
      await Promise.all(closing)
    },
  }
}

/** The kafkajs client behind the door. Only this folder and the tests of this folder use it. */
export function makeKafkaJs(settings: KafkaSettings): KafkaJs {
  const { brokers, clientId, tls, sasl, requestTimeoutMs = 30_000 } = settings
  return new kafkajsModule.Kafka({
    brokers,
    clientId,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    // One second, kafkajs's default, is too short for a busy machine.
    connectionTimeout: 5000,
    authenticationTimeout: 10_000,
    retry: shortRetry,
    logLevel: kafkajsModule.logLevel.NOTHING,
    logCreator: () => () => undefined,
    socketFactory: ({ host, port, ssl, onConnect }) => connectSocket(settings, host, port, ssl, onConnect),
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
  })
}

/** Also sees the addresses that brokers advertise, which the settings do not name. */
function connectSocket(
  settings: KafkaSettings,
  host: string,
  port: number,
  ssl: ConnectionOptions,
  onConnect: () => void,
): net.Socket {
  refusePlaintext(settings, host)
  const servername = net.isIP(host) === 0 ? { servername: host } : {}
  const socket = settings.tls
    ? tls.connect({ host, port, ...servername, ...(settings.tls === true ? {} : ssl) }, onConnect)
    : net.connect({ host, port }, onConnect)
  socket.setKeepAlive(true, 60_000)
  socket.setNoDelay(true)
  // kafkajs lets go of dead sockets again and again; each time Node would keep one more listener.
  const unref = socket.unref.bind(socket)
  socket.unref = () => (socket.destroyed ? socket : unref())
  return socket
}

function refusePlaintext(settings: KafkaSettings, host: string): void {
  if (settings.tls !== undefined || settings.allowPlaintext === true) return
  if (host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return
  throw new KafkaRefused(`plaintext to ${host} is refused: set TLS, or allow plaintext`, {
    reason: 'PLAINTEXT_REFUSED',
  })
}

function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}
