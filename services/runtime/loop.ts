import { setTimeout as sleep } from 'node:timers/promises'
import type { FetchAnswer, Fetcher, Position } from './kafka/fetch.ts'
import type { Log } from './log.ts'
import type { Task } from './task.ts'

/** Somebody who reads one partition: a task, or the table of `<topology>.control`. */
export type Reader = Pick<Task, 'wants' | 'offer'> & {
  readonly address: { readonly topic: string; readonly partition: number }
}

export interface Loop {
  /** Wall time of the last round, for the health check. */
  readonly lastRoundMs: number
  stop(): Promise<void>
}

/** A small answer is followed by a short pause: asking again at once costs more CPU than the events do. */
const smallAnswerRecords = 200
const pauseMs = 5
const maxWaitMs = 100

/** The one consumer loop: asks the brokers for all readers at once and hands out the answers. */
export function startLoop(fetcher: Fetcher, readers: () => Iterable<Reader>, log: Log): Loop {
  let stopped = false
  let lastRoundMs = performance.now()
  let away = false

  async function rounds(): Promise<void> {
    while (!stopped) {
      lastRoundMs = performance.now()
      const wanted = new Map<string, { reader: Reader; position: Position }>()
      for (const reader of readers()) {
        const offset = reader.wants()
        const { topic, partition } = reader.address
        if (offset !== undefined)
          wanted.set(`${topic}/${partition}`, { reader, position: { topic, partition, offset } })
      }
      if (wanted.size === 0) await sleep(pauseMs)
      else await round(wanted)
    }
  }

  async function round(wanted: Map<string, { reader: Reader; position: Position }>): Promise<void> {
    let answers: FetchAnswer[]
    try {
      answers = await fetcher.fetch(
        [...wanted.values()].map(({ position }) => position),
        { maxWaitMs },
      )
      if (away) log.info('the broker answers again')
      away = false
    } catch (error) {
      if (stopped) return
      if (!away) log.warn({ reason: String(error) }, 'the broker does not answer; trying on')
      // The fetcher has paused already.
      away = true
      return
    }
    let records = 0
    for (const answer of answers) {
      const asked = wanted.get(`${answer.topic}/${answer.partition}`)
      if (asked === undefined) continue
      records += answer.records.length
      asked.reader.offer(answer, asked.position.offset)
    }
    if (records < smallAnswerRecords) await sleep(pauseMs)
  }

  const running = rounds()
  return {
    get lastRoundMs() {
      return lastRoundMs
    },
    async stop() {
      stopped = true
      await fetcher.close()
      await running
    },
  }
}
