import type { Socket } from 'node:net'
import type { Piece } from './frames.ts'
import type { Gate, Treatment } from './rules.ts'

/** One direction of a connection: bytes leave in the order in which they came, some later, some never. */
export interface Lane {
  take(pieces: readonly Piece<Treatment>[]): void
  /** Nothing more will come. What waits is still delivered, then the other side is told. */
  end(): void
}

export interface LaneOptions {
  readonly from: Socket
  readonly to: Socket
  /** Resets both sides. */
  readonly reset: () => void
  /** From here on no answer is delivered. */
  readonly silence: () => void
}

/** So much may wait before no more is read. */
const fullBytes = 8 * 1024 * 1024

export function createLane({ from, to, reset, silence }: LaneOptions): Lane {
  const line = createLine(from, to)

  /** Delivers as much of the frame as is due; returns false when the connection is over. */
  function cut(treatment: Extract<Treatment, { kind: 'cut' }>, bytes: Buffer): boolean {
    const part = bytes.subarray(0, treatment.leftBytes)
    treatment.leftBytes -= part.length
    if (treatment.leftBytes > 0) line.deliver(part)
    else if (to.destroyed) reset()
    else to.write(part, reset)
    return treatment.leftBytes > 0
  }

  function takeOne({ treatment, bytes }: Piece<Treatment>): boolean {
    switch (treatment.kind) {
      case 'drop':
        return true
      case 'reset':
        reset()
        return false
      case 'cut':
        return cut(treatment, bytes)
      case 'wait':
        line.wait(treatment.gate)
        break
      case 'half-close':
        silence()
    }
    line.deliver(bytes)
    return true
  }

  return {
    take(pieces) {
      for (const piece of pieces) if (!takeOne(piece)) return
    },
    end: line.end,
  }
}

/** Bytes and closed gates in order; what is behind a gate waits until it opens. */
function createLine(from: Socket, to: Socket) {
  const queue: (Buffer | Gate)[] = []
  const placed = new WeakSet<Gate>()
  let queuedBytes = 0
  let ended = false

  function flush(): void {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      if (Buffer.isBuffer(next)) {
        queuedBytes -= next.length
        if (!to.destroyed) to.write(next)
      } else if (!next.isOpen) return
      queue.shift()
    }
    from.resume()
    if (ended) to.end()
  }

  return {
    deliver(bytes: Buffer): void {
      if (queue.length > 0) {
        queue.push(bytes)
        queuedBytes += bytes.length
        if (queuedBytes > fullBytes) from.pause()
      } else if (!to.destroyed && !to.write(bytes)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    },
    /** The first piece of a frame closes the line; the others wait behind the same gate. */
    wait(gate: Gate): void {
      if (placed.has(gate)) return
      placed.add(gate)
      queue.push(gate)
      gate.onOpen(flush)
    },
    end(): void {
      ended = true
      if (queue.length === 0) to.end()
    },
  }
}
