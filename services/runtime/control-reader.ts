import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlEntry } from './control.ts'
import { errorTable, isTidemarkError } from './errors.ts'
import type { Reader } from './loop.ts'
import type { Wire } from './wire.ts'

/** Every process reads the whole control topic, from its start, for as long as it runs. */
export function readControl(
  topic: string,
  wire: Wire,
  note: (entry: ControlEntry) => void,
  fail: (error: unknown) => void,
): Reader {
  let next = 0
  let noted = Promise.resolve()

  async function noteAll(values: readonly Uint8Array[]): Promise<void> {
    await untilPrepared(wire, values)
    for (const value of values) note(wire.decode('Control', value) as unknown as ControlEntry)
  }

  return {
    address: { topic, partition: 0 },
    wants: () => next,
    offer(answer, requested) {
      if (requested !== next) return
      next = answer.error === 'offset-out-of-range' ? answer.logStart : answer.nextOffset
      const values = answer.records.map(({ value }) => value).filter((value) => value !== null)
      if (values.length > 0) noted = noted.then(() => noteAll(values)).catch(fail)
    },
  }
}

async function untilPrepared(wire: Wire, values: readonly Uint8Array[]): Promise<void> {
  for (;;) {
    try {
      return await wire.prepare('Control', values)
    } catch (error) {
      if (!isTidemarkError(error) || !errorTable[error.code].retriable) throw error
      await sleep(500)
    }
  }
}
