import { expect, it } from 'vitest'
import { tidemarkError } from '../../services/runtime/errors.ts'
import { createLog } from '../../services/runtime/log.ts'
import { createPatience } from '../../services/runtime/patience.ts'

const away = () => Promise.reject(tidemarkError('TM_REGISTRY_AWAY', 'no answer'))

it('waits longer after each failure, and not at all after a success', async () => {
  let nowMs = 0
  const patience = createPatience(createLog('test', '0', 'silent'), () => nowMs)
  const pauses: number[] = []
  for (let round = 0; round < 9; round += 1) {
    expect(await patience.attempt(away)).toBeUndefined()
    const begunMs = nowMs
    while (patience.isWaiting) nowMs += 1
    pauses.push(nowMs - begunMs)
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
  expect(await patience.attempt(async () => 'read')).toBe('read')
  expect(await patience.attempt(away)).toBeUndefined()
  nowMs += 100
  expect(patience.isWaiting).toBe(false)
})

it('hands on what trying again would not cure', async () => {
  const patience = createPatience(createLog('test', '0', 'silent'))
  const failures = [
    tidemarkError('TM_INTERNAL_RECORD'),
    tidemarkError('TM_STORE_DAMAGED'),
    new TypeError('no'),
  ]
  for (const error of failures) {
    await expect(patience.attempt(() => Promise.reject(error))).rejects.toBe(error)
    expect(patience.isWaiting).toBe(false)
  }
})
