import { describe, expect, it } from 'vitest'
import { controlKey } from '../../../services/runtime/control.ts'
import { until } from '../kafka-support.ts'
import { type Order, plainWire } from './counting.ts'
import { type Ground, ground, type Here } from './ground.ts'
import { countedOf } from './oracle.ts'
import { standingsOf } from './reading.ts'
import { caughtUp, expectUndisturbed, ordersFrom, type Written, writtenTo } from './undisturbed.ts'

const alignmentMs = 300_000
const hourMs = 3_600_000

describe('a backlog of two hours in two topics', () => {
  it('is caught up by two instances within the alignment', async () => {
    await using field = await backlogField()
    const orders = backlog(0)
    await writeAll(field, orders)
    const services = await startTwo(field)
    await allWritten(field, orders)
    expectAligned(writtenTo(field), 0)
    await expectShared(services)
    for (const service of services) await service.stop()
    await expectWhole(field, orders)
  })

  it('is so too by instances that had caught up before it came', async () => {
    await using field = await backlogField()
    // Here every partition says how far it is.
    const early = backlog(0, 300_000, 10)
    await writeAll(field, early)
    const first = await startTwo(field)
    await allWritten(field, early)
    // Long enough for every task to say that it has read everything.
    await until('all are idle', () => idleIn(field) === places.length)
    // Both at once: one that was left alone would hear of the other's tasks, and say other things of them.
    await Promise.all(first.map((service) => service.stop()))
    expect(idleIn(field)).toBe(places.length)
    const before = writtenTo(field).length
    const late = backlog(300_000)
    await writeAll(field, late)
    const second = await startOneLate(field)
    const orders = early.map((of, place) => [...of, ...late[place]!])
    await allWritten(field, orders)
    expectAligned(writtenTo(field), before)
    await expectShared(second)
    for (const service of second) await service.stop()
    await expectWhole(field, orders)
  })
})

describe('event time', () => {
  it('fires a timer once, with the same bytes, though its process was killed in between', async () => {
    await using field = await ground()
    const orders: Order[] = [{ key: 'k', time: 1000, amount: 5, wakeInMs: 60_000 }]
    const first = field.startProcess('0')
    await field.write(orders)
    await caughtUp(field, orders)
    await first.kill()
    const second = field.startProcess('0')
    const more = [30_000, 60_999, 61_000, 61_001].map((time) => ({ key: 'other', time, amount: 1 }))
    orders.push(...more)
    await field.write(more.slice(0, 2))
    await caughtUp(field, orders.slice(0, 3))
    await second.kill()
    const third = field.startProcess('0')
    await field.write(more.slice(2))
    await caughtUp(field, orders)
    expect(await third.stop()).toBe('0')
    await field.follower.toEnd(field.kafka)
    expectUndisturbed(field, orders)
    const woken = writtenTo(field).filter(({ kind }) => kind === 'wake')
    expect(woken.map(({ time, watermark }) => ({ time, watermark }))).toEqual([
      { time: 61_000, watermark: 61_000 },
    ])
  })

  it('ends where the positions of a finite input say, in two instances, and takes every timer with it', async () => {
    await using field = await ground({ inputs: [2, 2], outputs: { partitions: 1, by: 'key' } })
    const services = await startTwo(field)
    const orders = places.map((_, place) => ordersFrom(place, 20, { key: `p${place}`, wakeInMs: 3_600_000 }))
    await writeAll(field, orders)
    await allWritten(field, orders)
    expect(writtenTo(field).some(({ kind }) => kind === 'wake')).toBe(false)
    // The end of one topic is said before the records in front of it are there.
    await sayEnd(field, 1, 40)
    await sayEnd(field, 0)
    await until('two tasks have ended', () => endedIn(field).length >= 2)
    expect(endedIn(field)).toEqual(['count/0/0', 'count/0/1'])
    for (const [place, { input, partition }] of places.entries()) {
      if (input === 0) continue
      const more = ordersFrom(100, 40, { key: `p${place}`, wakeInMs: 3_600_000 })
      orders[place]!.push(...more)
      await field.write(more, { input, partition })
    }
    await until('all tasks have ended', () => endedIn(field).length === places.length)
    for (const service of services) await service.stop()
    await field.follower.toEnd(field.kafka)
    for (const [place] of places.entries()) {
      const kinds = writtenTo(field).flatMap(({ key, kind }) => (key === `p${place}` ? [kind] : []))
      expect(kinds).toEqual(kinds.toSorted())
    }
    const woken = writtenTo(field).filter(({ kind }) => kind === 'wake')
    expect(woken.map(({ key, time }) => `${key} ${time}`).sort()).toEqual(
      orders.flatMap((of) => of.map(({ key, time }) => `${key} ${time + 3_600_000}`)).sort(),
    )
  })
})

/** The partitions of two topics, in the order in which they are tasks. */
const places = [0, 1].flatMap((input) => [0, 1].map((partition) => ({ input, partition })))

/** All tasks write to one partition, whose order tells how they kept together. */
function backlogField(): Promise<Ground> {
  return ground({ inputs: [2, 2], outputs: { partitions: 1, by: 'key' }, alignmentMs })
}

/** Two hours of event time: one partition has ten times as many records as another, and the last one has none. */
function backlog(fromMs: number, spanMs = 2 * hourMs, last = 0): Order[][] {
  return [2_000, 400, 2_000, last].map((count, place) =>
    Array.from({ length: count }, (_, at) => {
      return { key: `p${place}`, time: fromMs + Math.floor((at * spanMs) / count), amount: 1 }
    }),
  )
}

async function writeAll(field: Ground, orders: readonly (readonly Order[])[]): Promise<void> {
  for (const [at, place] of places.entries())
    if (orders[at]!.length > 0) await field.write(orders[at]!, place)
}

/** Two instances that have shared the tasks before either of them reads. */
async function startTwo(field: Ground): Promise<Here[]> {
  const { promise: gate, resolve: release } = Promise.withResolvers<void>()
  const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '9000' }
  const services = [await field.start('a', settings, { gate }), await field.start('b', settings, { gate })]
  const half = places.length / 2
  const has = (at: number, least: number) => restoredBy(services[at]!) >= least
  await until('both have their share', () => has(0, half) && has(1, half))
  release()
  return services
}

/** Two instances, of which one restores its tasks only when the other has gone as far as it may without it. */
async function startOneLate(field: Ground): Promise<Here[]> {
  const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const settings = { TIDEMARK_SESSION_TIMEOUT_MS: '9000' }
  try {
    const b = await field.start('b', settings, { gate: late.promise, gatesRestore: true })
    await until('the late one has all tasks', () => b.log.some(({ msg }) => msg === 'assigned'))
    // So nobody but the early one has had its tasks, and what was said of the others is from before.
    const a = await field.start('a', settings, { gate: early.promise })
    await until('the early one has its share', () => restoredBy(a) === places.length / 2)
    early.resolve()
    await until('the early one is ahead', () => writtenTo(field).some(({ time }) => time > 1.7 * alignmentMs))
    return [a, b]
  } finally {
    // Whatever has failed, nobody may wait for ever.
    early.resolve()
    late.resolve()
  }
}

/** Records that a service has written, by its own metrics. */
async function writtenBy({ running }: Here): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${running.port}/metrics`)).text()
  return Number(/^tidemark_records_written_total\{.*\} (\d+)/m.exec(page)?.[1] ?? 0)
}

/** Neither of them did it alone. */
async function expectShared(services: readonly Here[]): Promise<void> {
  for (const service of services) expect(await writtenBy(service)).toBeGreaterThan(100)
}

function restoredBy({ log }: Here): number {
  return log.filter(({ msg }) => msg === 'restored').length
}

function idleIn({ follower, plan }: Ground): number {
  return [...standingsOf(follower.of(plan.control)).values()].filter(({ idle }) => idle).length
}

function endedIn({ follower, plan }: Ground): string[] {
  const standings = [...standingsOf(follower.of(plan.control)).values()]
  return standings.flatMap(({ writer, ended }) => (ended && writer !== 'source' ? [writer] : [])).sort()
}

/** Whoever feeds a topic says where it ends, as `tidemark produce` does; so many records may still be to come. */
async function sayEnd({ kafka, plan }: Ground, input: number, still = 0): Promise<void> {
  const { topic, partitions } = plan.inputs[input]!
  const fetcher = await kafka.fetcher()
  const own = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const ends = await fetcher.endOffsets(own, 'uncommitted')
  await fetcher.close()
  const offsetOf = ({ topic: of, partition }: (typeof own)[number]) => ends.get(`${of}/${partition}`)! + still
  const outputs = own.map((place) => ({ ...place, offset: offsetOf(place) }))
  const entry = { writer: 'source', topic, watermark: 0, idle: true, ended: true, outputs, at: 0 }
  const key = Buffer.from(controlKey('source', topic))
  const writer = await kafka.plainWriter()
  await writer.write([
    {
      topic: plan.control,
      partition: 0,
      records: [{ key, value: plainWire.encode('Control', entry, plan.control) }],
    },
  ])
  await writer.close()
}

async function allWritten(field: Ground, orders: readonly (readonly Order[])[]): Promise<void> {
  const due = orders.flat().length
  await until('everything is written', () => field.follower.count(field.plan.output.topic) >= due)
}

/** No record comes after one that is more than the alignment ahead of it. */
function expectAligned(written: readonly Written[], from: number): void {
  let front = Number.NEGATIVE_INFINITY
  let skewMs = 0
  for (const { time } of written.slice(from)) {
    skewMs = Math.max(skewMs, front - time)
    front = Math.max(front, time)
  }
  console.log(`largest step back in event time: ${skewMs} ms of ${alignmentMs} ms`)
  expect(skewMs).toBeLessThanOrEqual(alignmentMs)
}

async function expectWhole(field: Ground, orders: readonly (readonly Order[])[]): Promise<void> {
  await field.follower.toEnd(field.kafka)
  const written = writtenTo(field)
  for (const [at, of] of orders.entries()) {
    const own = written.filter(({ key }) => key === `p${at}`)
    expect(own.map(({ n }) => n)).toEqual(countedOf(of).map(({ n }) => n))
  }
}
