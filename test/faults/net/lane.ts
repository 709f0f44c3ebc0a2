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
  const queue: (Buffer | Gate)[] = []
  const placed = new WeakSet<Gate>()
  let queuedBytes = 0
  let ended = false

  function deliver(bytes: Buffer): void {
    if (queue.length > 0) {
      queue.push(bytes)
      queuedBytes += bytes.length
      if (queuedBytes > fullBytes) from.pause()
    } else if (!to.destroyed && !to.write(bytes)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
  }

  function flush(): void {
    while (queue.length > 0) {
      const next = queue[0]!
      if (!Buffer.isBuffer(next)) {
        if (!next.isOpen) return
      } else {
        queuedBytes -= next.length
        if (!to.destroyed) to.write(next)
      }
      queue.shift()
    }
    from.resume()
    if (ended) to.end()
  }

  function wait(gate: Gate): void {
    if (placed.has(gate)) return
    placed.add(gate)
    queue.push(gate)
    gate.onOpen(flush)
  }

  /** Returns false when the connection is over. */
  function takeOne({ treatment, bytes }: Piece<Treatment>): boolean {
    switch (treatment.kind) {
      case 'wait':
        wait(treatment.gate)
        deliver(bytes)
        return true
      case 'half-close':
        silence()
        deliver(bytes)
        return true
      case 'reset':
        reset()
        return false
      case 'cut': {
        const part = bytes.subarray(0, treatment.leftBytes)
        treatment.leftBytes -= part.length
        if (treatment.leftBytes > 0) deliver(part)
        else if (to.destroyed) reset()
        else to.write(part, reset)
        return treatment.leftBytes > 0
      }
      case 'drop':
        return true
      default:
        deliver(bytes)
        return true
    }
  }

  return {
    take(pieces) {
      for (const piece of pieces) if (!takeOne(piece)) return
    },
    end() {
      ended = true
      if (queue.length === 0) to.end()
    },
  }
}
