import { describe, expect, it } from 'vitest'
import { KafkaFenced } from '../../../services/runtime/kafka/failures.ts'
import type { OutRecord } from '../../../services/runtime/kafka/writer.ts'
import { until } from '../kafka-support.ts'
import { type Ground, ground } from './ground.ts'
import { countedOf, stateOf } from './oracle.ts'
import { foldOf } from './reading.ts'
import { ordersFrom, type Written, writtenTo } from './undisturbed.ts'

const settings = { TIDEMARK_GUARANTEE: 'at-least-once', TIDEMARK_SESSION_TIMEOUT_MS: '3000' }
const trap = { step: 'after-outputs', signal: 'SIGKILL' } as const
const mostKills = 8

describe('a service that works at least once', () => {
  it('may repeat records when it is killed, with the same indexes and contents, and its state is exact', async () => {
    await using field = await ground()
    const orders = ordersFrom(0, 40 * mostKills)
    let kills = 0
    // Until a kill has come between the outputs and the changelog that says so.
    for (; kills < mostKills && repeatsOf(field).length === 0; kills += 1) {
      const doomed = field.startProcess('0', { env: settings, trap })
      await reached(field, 40 * kills)
      await doomed.arm()
      await field.write(orders.slice(40 * kills, 40 * kills + 40))
      expect(await doomed.exited).toBe('SIGKILL')
    }
    expect(repeatsOf(field).length, `${kills} kills`).toBeGreaterThan(0)
    const given = orders.slice(0, 40 * kills)
    const due = countedOf(given)
    const last = field.startProcess('0', { env: settings })
    await reached(field, given.length)
    expect(await last.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)

    const unique = uniqueOf(field)
    expect(unique.map(({ origin }) => origin.index)).toEqual(unique.map((_, at) => at + 1))
    expect(unique.map(({ watermark: _, origin: __, pad: ___, ...counted }) => counted)).toEqual(due)
    for (const repeat of repeatsOf(field)) expect(repeat).toEqual(unique[repeat.origin.index - 1])
    const { state, checkpoints } = foldOf(field.follower.of(field.plan.changelog))
    expect(checkpoints.at(-1)).toMatchObject({ index: due.length, position: given.length })
    const own = Object.entries(state).filter(([key]) => !key.startsWith('~'))
    expect(Object.fromEntries(own.map(([key, value]) => [key, JSON.parse(value).n]))).toEqual(
      stateOf(given).counts,
    )
  })
})

describe('a writer without transactions', () => {
  it('can no longer seal anything once its successor has written to the partition of the seal', async () => {
    await using field = await ground()
    const { changelog, output } = field.plan
    const open = () =>
      field.kafka.writer({ transactionalId: `${field.plan.name}-writer`, guarantee: 'at-least-once' })
    const outputs = (text: string) => [{ topic: output.topic, partition: 0, records: [recordOf(text)] }]
    const seal = (text: string) => ({ topic: changelog, partition: 0, records: [recordOf(text)] })
    const first = await open()
    await first.commit(outputs('a'), seal('a'))
    const second = await open()
    await second.commit([], seal('fence'))
    await expect(first.commit(outputs('b'), seal('b'))).rejects.toThrow(KafkaFenced)
    await second.commit(outputs('c'), seal('c'))
    await field.follower.toEnd(field.kafka)
    const keysOf = (topic: string) => field.follower.of(topic).map(({ key }) => key)
    expect(keysOf(changelog)).toEqual(['a', 'fence', 'c'])
    // A predecessor's output may stay; readers know it by its index.
    expect(keysOf(output.topic).filter((key) => key !== 'b')).toEqual(['a', 'c'])
    await Promise.all([first.close(), second.close()])
  })

  it('writes a seal that is more than one record batch in a transaction, for half a seal could be read', async () => {
    await using field = await ground()
    const { changelog, output } = field.plan
    const writer = await field.kafka.writer({
      transactionalId: `${field.plan.name}-large`,
      guarantee: 'at-least-once',
    })
    const outputs = (text: string) => [{ topic: output.topic, partition: 0, records: [recordOf(text)] }]
    const seal = (...records: OutRecord[]) => ({ topic: changelog, partition: 0, records })
    await writer.commit(outputs('a'), seal(recordOf('a')))
    const large = ['b1', 'b2', 'b3'].map((key) => recordOf(key, 500_000))
    await writer.commit(outputs('b'), seal(...large))
    await writer.commit(outputs('c'), seal(recordOf('c')))
    await field.follower.toEnd(field.kafka)
    const keysOf = (topic: string) => field.follower.of(topic).map(({ key }) => key)
    expect(keysOf(output.topic)).toEqual(['a', 'b', 'c'])
    expect(keysOf(changelog)).toEqual(['a', 'b1', 'b2', 'b3', 'c'])
    // The marker of the transaction takes an offset of its own: of the plain commits there is none.
    expect(field.follower.of(changelog).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 5])
    await writer.close()
  })
})

function recordOf(key: string, sizeBytes = 10): OutRecord {
  return { key: Buffer.from(key), value: Buffer.alloc(sizeBytes, 'x') }
}

/** The changelog says that so much of the input is done. */
async function reached(field: Ground, position: number): Promise<void> {
  await until(`position ${position}`, () => {
    const { checkpoints } = foldOf(field.follower.of(field.plan.changelog))
    return (checkpoints.at(-1)?.position ?? 0) >= position
  })
}

/** The first record of each index, in the order of the indexes. */
function uniqueOf(field: Ground): Written[] {
  const byIndex = new Map<number, Written>()
  for (const each of writtenTo(field))
    if (!byIndex.has(each.origin.index)) byIndex.set(each.origin.index, each)
  return [...byIndex.values()].sort((a, b) => a.origin.index - b.origin.index)
}

function repeatsOf(field: Ground): Written[] {
  const seen = new Set<number>()
  return writtenTo(field).filter(({ origin }) => seen.size === seen.add(origin.index).size)
}
