import { connect } from 'node:net'

/**
 * The two Kafka requests that prove readiness, written out byte by byte: the client library stays behind the runtime's
 * door, and its retries would blur what the broker really answered.
 * Layouts: https://kafka.apache.org/protocol, Metadata v1 and FindCoordinator v1.
 */
export interface Address {
  readonly host: string
  readonly port: number
}

const metadataKey = 3
const findCoordinatorKey = 10
const coordinatorTypes = { group: 0, transaction: 1 } as const

/** Ids of the brokers that this node knows to be alive, ascending. Rejects when there is no answer in time. */
export async function askBrokerIds(address: Address, timeoutMs = 1_000): Promise<number[]> {
  const noTopics = Buffer.alloc(4)
  const answer = await ask(address, metadataKey, noTopics, timeoutMs)
  const ids: number[] = []
  let at = 4
  for (let left = answer.readInt32BE(0); left > 0; left--) {
    ids.push(answer.readInt32BE(at))
    at += 4
    at += 2 + answer.readInt16BE(at) + 4
    at += 2 + Math.max(0, answer.readInt16BE(at))
  }
  return ids.sort((a, b) => a - b)
}

/**
 * Whether this node can name a coordinator. The first question of its kind makes the broker create its internal topic,
 * which takes about a second: asked at bring-up, no first user has to wait or retry.
 */
export async function hasCoordinator(
  address: Address,
  type: keyof typeof coordinatorTypes,
  timeoutMs = 1_000,
): Promise<boolean> {
  const key = Buffer.from('tidemark-ready')
  const body = Buffer.concat([int16(key.length), key, Buffer.from([coordinatorTypes[type]])])
  const answer = await ask(address, findCoordinatorKey, body, timeoutMs)
  return answer.readInt16BE(4) === 0
}

/** One request of version 1 on a connection of its own; resolves with the body of the answer. */
export function ask(address: Address, apiKey: number, body: Buffer, timeoutMs: number): Promise<Buffer> {
  const correlation = int32(1)
  const clientId = Buffer.from('tidemark')
  const head = Buffer.concat([int16(apiKey), int16(1), correlation, int16(clientId.length), clientId])
  const frame = Buffer.concat([int32(head.length + body.length), head, body])
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, address.host)
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    let got = Buffer.alloc(0)
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer in ${timeoutMs} ms`)))
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the connection was closed')))
    socket.on('connect', () => socket.write(frame))
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
      if (got.length < 4 || got.length < 4 + got.readInt32BE(0)) return
      resolve(got.subarray(8, 4 + got.readInt32BE(0)))
      socket.destroy()
    })
  })
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
