import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlEntry } from './control.ts'
import { errorTable, isTidemarkError } from './errors.ts'
import type { Reader } from './loop.ts'
import type { Wire } from './wire.ts'

/** Every process reads the whole control topic, from its start, for as long as it runs. */
export function readControl(
  topic: string,
  wire: Wire,
  note: (entry: ControlEntry, isOld: boolean) => void,
  fail: (error: unknown) => void,
): Reader {
  let next = 0
  let begunAt: number | undefined
  let noted = Promise.resolve()

  async function noteAll(records: readonly Written[], oldBelow: number): Promise<void> {
    await untilPrepared(
      wire,
      records.map(({ value }) => value),
    )
    for (const { offset, value } of records)
      note(wire.decode('Control', value) as unknown as ControlEntry, offset < oldBelow)
  }

  return {
    address: { topic, partition: 0 },
    wants: () => next,
    offer(answer, requested) {
      if (requested !== next) return
      next = answer.error === 'offset-out-of-range' ? answer.logStart : answer.nextOffset
      if (answer.error) return
      begunAt ??= answer.lastStableOffset
      const oldBelow = begunAt
      const records = answer.records.flatMap(({ offset, value }) =>
        value === null ? [] : [{ offset, value }],
      )
      if (records.length > 0) noted = noted.then(() => noteAll(records, oldBelow)).catch(fail)
    },
  }
}

interface Written {
  readonly offset: number
  readonly value: Uint8Array
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
