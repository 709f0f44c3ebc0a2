import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from 'simple-statistics'
import type { Prediction } from '../../schemas/types.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import { readTopic } from '../runtime/read-topic.ts'
import type { Wire } from '../runtime/wire.ts'

/** Measures from outside: when an event was handed to Kafka, and when its prediction could be read committed. */
export interface LatencyProbe {
  sent(id: string, atMs: number): void
  /** Ends the reading; the percentiles of what was seen, in ms, or undefined when nothing was. */
  finish(): Promise<{ p50: number; p99: number; count: number } | undefined>
}

const patienceMs = 10_000

export function startLatencyProbe(kafka: Kafka, wire: Wire, topic: string): LatencyProbe {
  const sentAt = new Map<string, number>()
  const took: number[] = []
  const stop = new AbortController()
  const reading = (async () => {
    for await (const { value } of readTopic(kafka, topic, {
      follow: true,
      fromEnd: true,
      signal: stop.signal,
    })) {
      if (value === null) continue
      await wire.prepare('Prediction', [value])
      const { id } = wire.decode('Prediction', value) as unknown as Prediction
      const at = sentAt.get(id)
      if (at !== undefined) took.push(performance.now() - at)
      sentAt.delete(id)
    }
  })()
  // An interrupted run cuts the connection under the reader; whoever finishes asks for its outcome.
  reading.catch(() => {})
  return {
    sent: (id, atMs) => void sentAt.set(id, atMs),
    async finish() {
      // The slowest are the ones that count: they are waited for, though not for ever.
      const deadlineMs = performance.now() + patienceMs
      while (sentAt.size > 0 && performance.now() < deadlineMs) await sleep(20)
      stop.abort()
      await reading
      if (took.length === 0) return undefined
      const [p50, p99] = quantile(took, [0.5, 0.99]) as [number, number]
      return { p50, p99, count: took.length }
    },
  }
}
