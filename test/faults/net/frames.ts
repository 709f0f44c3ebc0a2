/** Kafka's numbers of the requests that a rule can name. */
export const apis = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  EndTxn: 26,
} as const

export type ApiName = keyof typeof apis

/** What stands at the front of every request. */
export interface RequestHead {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string
}

/** A run of bytes that belong to frames which are treated alike. */
export interface Piece<T> {
  readonly treatment: T
  readonly bytes: Buffer
}

/** Where the head of a frame ends, as far as its first 14 bytes (or all of a shorter head) tell. */
export interface HeadLayout {
  /** Bytes that must be there before `sizeOf` can be asked. */
  readonly leastBytes: number
  sizeOf(bytes: Buffer): number
}

/** The length, api key, api version, correlation id and client id. */
export const requestHead: HeadLayout = {
  leastBytes: 14,
  sizeOf: (bytes) => 14 + Math.max(0, bytes.readInt16BE(12)),
}

/** The length and the correlation id. */
export const answerHead: HeadLayout = { leastBytes: 8, sizeOf: () => 8 }

/** More than a broker takes or sends (socket.request.max.bytes is 100 MiB): such bytes are not Kafka's. */
const maxFrameBytes = 128 * 1024 * 1024

const nothing = Buffer.alloc(0)

/**
 * Cuts a stream into frames. `begin` sees the head of each frame, from its length on, once, and says how the frame is
 * treated. Neighbours with the very same treatment come as one piece, so that what passes is written as it came.
 *
 * @returns takes the next bytes of the stream; throws RangeError for what cannot be a frame
 */
export function createScanner<T>(
  layout: HeadLayout,
  begin: (head: Buffer, frameBytes: number) => T,
): (chunk: Buffer) => Piece<T>[] {
  let held: Buffer = nothing
  let leftBytes = 0
  let treatment: T | undefined
  return (chunk) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    held = nothing
    const pieces: Piece<T>[] = []
    let pieceStart = 0
    for (let at = 0; at < bytes.length; ) {
      if (leftBytes === 0) {
        const next = headOf(layout, bytes.subarray(at))
        const before = treatment
        if (next !== undefined) treatment = begin(next.head, next.frameBytes)
        if (at > pieceStart && (next === undefined || treatment !== before)) {
          pieces.push({ treatment: before!, bytes: bytes.subarray(pieceStart, at) })
          pieceStart = at
        }
        if (next === undefined) {
          held = bytes.subarray(at)
          return pieces
        }
        leftBytes = next.frameBytes
      }
      const step = Math.min(leftBytes, bytes.length - at)
      leftBytes -= step
      at += step
    }
    if (bytes.length > pieceStart) pieces.push({ treatment: treatment!, bytes: bytes.subarray(pieceStart) })
    return pieces
  }
}

/** Reads what `requestHead` found. */
export function readRequestHead(head: Buffer): RequestHead {
  return {
    apiKey: head.readInt16BE(4),
    apiVersion: head.readInt16BE(6),
    correlationId: head.readInt32BE(8),
    clientId: head.toString('utf8', 14, head.length),
  }
}

function headOf(layout: HeadLayout, bytes: Buffer): { head: Buffer; frameBytes: number } | undefined {
  if (bytes.length < layout.leastBytes) return undefined
  const size = layout.sizeOf(bytes)
  const frameBytes = 4 + bytes.readInt32BE(0)
  if (frameBytes < size || frameBytes > maxFrameBytes) {
    throw new RangeError(`a frame of ${frameBytes} bytes is not Kafka's`)
  }
  return bytes.length < size ? undefined : { head: bytes.subarray(0, size), frameBytes }
}
