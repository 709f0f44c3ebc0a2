import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Driver, openDriver } from '../../services/testing/driver.ts'
import { copyFlightDelay, troubledFlights } from './flights.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`driver/time seed ${seed}`)

const folder = mkdtempSync(join(tmpdir(), 'tidemark-time-'))
afterAll(() => rmSync(folder, { recursive: true }))
const topology = copyFlightDelay(folder, 'flights', 2)

const hourMs = 3_600_000
const begins = Date.UTC(2001, 0, 1)
const latenessMs = hourMs / 2

let driver: Driver
beforeEach(async () => {
  driver = await openDriver(topology, { services: ['features', 'predictions', 'outcomes'] })
})
afterEach(() => driver.close())

const depart = (flight: string, hours: number, partition = 0) =>
  driver.send(
    'flights.departures',
    { flight, departed: begins + hours * hourMs, origin: 'ATL', destination: 'ORD', distance: 600 },
    { partition },
  )
const land = (flight: string, hours: number, partition = 0) =>
  driver.send(
    'flights.landings',
    { flight, landed: begins + hours * hourMs, origin: 'ATL', destination: 'ORD', delay: 20 },
    { partition },
  )
const watermarks = (stage: string) => Object.values(driver.progress(stage)).map(({ watermark }) => watermark)
const reached = (stage: string) => Math.min(...watermarks(stage))
const outcomes = () => driver.read('outcomes').map(({ value }) => `${value.id} ${value.state}`)

describe('time in a topology', { timeout: 30_000 }, () => {
  it('stands still until it is told to pass', async () => {
    await depart('F00001', 1)
    await depart('F00002', 30)
    expect(driver.nowMs).toBe(begins + 30 * hourMs)
    expect(reached('entity-airport')).toBeLessThan(begins)
  })

  it('is not held back by partitions that nothing comes from, once they have been quiet', async () => {
    await depart('F00001', 1)
    await driver.advance('5s')
    expect(reached('entity-airport')).toBeLessThan(begins)
    await driver.advance('10s')
    expect(reached('entity-airport')).toBe(begins + hourMs - latenessMs)
  })

  it('is held back again by a partition that comes back, and never goes back itself', async () => {
    await depart('F00001', 1)
    await driver.advance('15s')
    await depart('F00002', 2, 1)
    await driver.idle('flights.departures', 0)
    await driver.idle('flights.landings')
    await driver.advance('2s')
    expect(reached('entity-airport')).toBe(begins + 2 * hourMs - latenessMs)
    await depart('F00003', 5, 1)
    await depart('F00004', 1.8, 0)
    await driver.advance('2s')
    expect(reached('entity-airport')).toBe(begins + 2 * hourMs - latenessMs)
    await driver.idle('flights.departures', 0)
    await driver.advance('2s')
    expect(reached('entity-airport')).toBe(begins + 5 * hourMs - latenessMs)
  })

  it('never goes back, whatever comes in whatever order', async () => {
    const stages = ['ingest', 'entity-airport', 'assemble', 'score', 'label', 'carry', 'join']
    let before = stages.map(watermarks)
    for (const [at, { stream, id, value, at: atMs }] of troubledFlights(seed, 40).entries()) {
      await driver.send(`flights.${stream}`, value, { key: id, at: atMs })
      if (at % 7 === 3) await driver.advance('12s')
      if (at % 11 === 5) await driver.restart()
      const after = stages.map(watermarks)
      for (const [stage, marks] of after.entries())
        for (const [task, mark] of marks.entries())
          expect(mark, stages[stage]).toBeGreaterThanOrEqual(before[stage]![task]!)
      before = after
    }
    expect(Math.min(...before.flat())).toBeGreaterThan(begins)
  })

  it('expires a label that does not come, also when the timer was set before a restart', async () => {
    await depart('F00001', 1)
    await depart('F00002', 1)
    await land('F00002', 3)
    expect(outcomes()).toEqual(['F00002 labelled'])
    await driver.restart()
    await land('F00009', 12)
    await driver.advance('20s')
    expect(outcomes()).toEqual(['F00001 expired'])
    await driver.restart()
    await driver.end()
    expect(outcomes()).not.toContain('F00001 expired')
  })
})

describe('a driver that is asked for what there is not', () => {
  it.each([
    ['send', () => driver.send('flights.arrivals', {}), 'there are flights.departures, flights.landings'],
    [
      'partition',
      () => driver.send('flights.departures', {}, { partition: 2 }),
      'has partitions 0 to 1, not 2',
    ],
    ['idle', () => driver.idle('flights'), 'no stream is called flights'],
    ['read', async () => driver.read('prediction'), 'features, predictions, outcome-journal, outcomes'],
    [
      'state',
      () => driver.state('windows'),
      'there are ingest, entity-airport, assemble, score, label, carry, join',
    ],
  ])('says what there is: %s', async (_, ask, said) => {
    await expect(ask()).rejects.toMatchObject({ code: 'TM_DRIVER', message: expect.stringContaining(said) })
  })

  it('takes nothing after the end', async () => {
    await driver.end()
    await expect(depart('F00001', 1)).rejects.toMatchObject({ code: 'TM_DRIVER' })
  })

  it('refuses to be read before what was sent has had its effect', async () => {
    const sent = depart('F00001', 1)
    expect(() => driver.read('predictions')).toThrow('await what was sent')
    await sent
    expect(driver.read('predictions')).toHaveLength(1)
    expect(driver.read('predictions')).toHaveLength(0)
  })
})
