import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Driver, openDriver } from 'tidemark/testing'

let driver: Driver
before(async () => {
  driver = await openDriver(new URL('./', import.meta.url))
})
after(() => driver.close())

const eight = Date.UTC(2001, 0, 1, 8)
const hourMs = 3_600_000
const route = { origin: 'ATL', destination: 'ORD' }

test('a flight is scored when it departs, and labelled when it lands', async () => {
  await driver.send('flights.departures', { flight: 'F00001', departed: eight, ...route, distance: 606 })
  const [prediction] = driver.read('predictions')
  assert.equal(prediction?.value.id, 'F00001')
  assert.ok(prediction.value.score > 0 && prediction.value.score < 1)

  const landing = { flight: 'F00001', landed: eight + 2 * hourMs, ...route, delay: 22 }
  await driver.send('flights.landings', landing)
  assert.deepEqual(
    driver.read('outcomes').map(({ value }) => [value.id, value.state, value.label]),
    [['F00001', 'labelled', true]],
  )
})

test('the next flight from there knows how late the last one was', async () => {
  const departure = {
    flight: 'F00002',
    departed: eight + 3 * hourMs,
    origin: 'ORD',
    destination: 'ATL',
    distance: 606,
  }
  await driver.send('flights.departures', departure)
  const [vector] = driver.read('features').slice(-1)
  assert.equal(vector?.value.values['originDelay24h'], 22)
})

test('a restart changes nothing, and a flight that never lands expires', async () => {
  await driver.restart()
  await driver.end()
  assert.deepEqual(
    driver.read('outcomes').map(({ value }) => [value.id, value.state]),
    [['F00002', 'expired']],
  )
})
