import type { ConnectionOptions } from 'node:tls'
import type { Admin } from './admin.ts'
import type { Fetcher } from './fetch.ts'
import type { Member, MemberOptions } from './membership.ts'
import type { PlainWriter, Writer } from './writer.ts'

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

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface WriterOptions {
  transactionalId: string
  /** After this time the coordinator aborts a transaction that was left open. Default 30 s. */
  timeoutMs?: number
  /** Default none. */
  compression?: Compression
}

/** The one door to Kafka. */
export interface Kafka {
  admin(): Promise<Admin>
  member(options: MemberOptions): Member
  /** With its own connections. */
  fetcher(): Promise<Fetcher>
  /** When this resolves, every earlier writer with the same id is fenced and its open transaction ended. */
  writer(options: WriterOptions): Promise<Writer>
  plainWriter(options?: { compression?: Compression }): Promise<PlainWriter>
  close(): Promise<void>
}

export function connectKafka(settings: KafkaSettings): Kafka {
  throw new Error(`no connection to ${settings.brokers.join(',')} yet`)
}
