import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { serviceNames } from '../../topologies/topics.ts'
import { until, within } from '../end-to-end/command.ts'
import {
  goodFlight,
  jsonRecord,
  openServiceRun,
  type RunningService,
  type ServiceRun,
} from './service-run.ts'

/** Each stands in another place of a record, and nowhere else. */
const canaries = {
  goodId: 'F774411223',
  goodKey: 'canary-good-key-51',
  goodHeader: 'canary-good-header-52',
  goodHeaderName: 'canary-header-name-53',
  unusedField: 'canary-unused-field-54',
  unusedName: 'canary-unused-name-55',
  badText: 'canary-bad-text-56',
  badKey: 'canary-bad-key-57',
  badHeader: 'canary-bad-header-58',
  badField: 'canary-bad-field-59',
  badJson: 'canary-bad-json-60',
  lateId: 'F774411224',
  labelId: 'F774411225',
  airport: 'QZX',
}

const secrets = {
  sasl: 'canary-sasl-password-71',
  registry: 'canary-registry-password-72',
  token: 'canary-http-token-73-canary-http-token-73',
}

let run: ServiceRun
let services: RunningService[]

beforeAll(async () => {
  run = await openServiceRun()
  services = await Promise.all(serviceNames.map((service) => run.start(service, settings())))
}, 180_000)
afterAll(() => run?.[Symbol.asyncDispose]())

it('nothing of a record or of a secret, good or bad, gets into logs, metrics or the status page, at the most talkative level', async () => {
  const { departures, landings } = run
  const flight = { ...goodFlight(canaries.goodId), origin: canaries.airport }
  const strange = { ...flight, [canaries.unusedName]: canaries.unusedField }
  const good = {
    ...jsonRecord(strange, canaries.goodKey),
    headers: { [canaries.goodHeaderName]: canaries.goodHeader },
  }
  await run.produce(departures, 0, good, good)
  const late = { ...goodFlight(canaries.lateId), departed: Date.now() - 48 * 3_600_000 }
  await run.produce(departures, 0, jsonRecord(late, canaries.goodKey))
  const headers = { [canaries.goodHeaderName]: canaries.badHeader }
  const bad = { key: Buffer.from(canaries.badKey), headers }
  await run.produce(departures, 1, { ...bad, value: Buffer.from(canaries.badText) })
  await run.produce(departures, 2, { ...bad, value: Buffer.from(`{"flight": ${canaries.badJson}`) })
  const wrong = { ...goodFlight(canaries.goodId), cabin: canaries.badField, origin: canaries.badField }
  await run.produce(departures, 3, { ...bad, ...jsonRecord(wrong, canaries.badKey) })
  await run.produce(departures, 3, { ...bad, value: null })
  const landed = {
    flight: canaries.labelId,
    landed: Date.now(),
    origin: 'ATL',
    destination: canaries.airport,
    delay: 5,
  }
  await run.produce(landings, 1, jsonRecord(landed, canaries.goodKey))
  await run.produce(landings, 2, { ...bad, value: Buffer.from(canaries.badText) })

  await until('four letters of departures and two of landings, and two vectors', 60_000, async () => {
    const [letters, ids] = [await run.letters(), await run.vectorIds()]
    return letters.length === 6 && ids.length === 2 ? true : undefined
  })
  // A zombie's death, too, is told without its records: one service is killed and starts again.
  services[0]!.child.kill('SIGKILL')
  await services[0]!.child.ended
  services.push(await run.start('features', settings()))
  const pages = await Promise.all(
    services
      .slice(1)
      .flatMap(({ address }) => ['metrics', 'status', 'health', 'ready'].map((path) => page(address, path))),
  )
  await Promise.all(services.slice(1).map((service) => service.stop()))
  const logs = services.flatMap(({ child }) => [child.stdout(), child.stderr()])
  expect(logs.join('').length).toBeGreaterThan(1_000)
  const said = [...pages, ...logs].join('\n')
  expect(said).toContain(`ingest/${departures}/0`)
  for (const [name, canary] of Object.entries({ ...canaries, ...secrets })) {
    for (const form of formsOf(canary)) expect(said.includes(form), `${name} as ${form}`).toBe(false)
  }
}, 180_000)

it('a password that the broker refuses is not told, by whatever command', async () => {
  const sasl = {
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'someone',
    KAFKA_SASL_PASSWORD: secrets.sasl,
  }
  const commands = [
    ['tail', run.departures],
    ['dead-letters', 'list', run.name],
  ]
  const started = commands.map((args) => run.place.start(args, { ...settings(), ...sasl }))
  for (const ended of await Promise.all(started.map((child) => within(90_000, child, 'a refused command')))) {
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^TM_CONFIG: /)
    const said = `${ended.stdout}${ended.stderr}`
    for (const secret of Object.values(secrets))
      for (const form of formsOf(secret)) expect(said).not.toContain(form)
  }
}, 120_000)

function settings(): NodeJS.ProcessEnv {
  const registry = new URL(inject('registry'))
  registry.username = 'someone'
  registry.password = secrets.registry
  return {
    TIDEMARK_LOG_LEVEL: 'trace',
    TIDEMARK_HTTP_TOKEN: secrets.token,
    SCHEMA_REGISTRY_URL: registry.href,
  }
}

async function page(address: string, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${secrets.token}` }
  const response = await fetch(`${address}/${path}`, { headers })
  expect(response.status).not.toBe(401)
  return response.text()
}

/** As text, as hex, as the inspect of a Buffer, and as base64 wherever in a group of three it begins. */
function formsOf(canary: string): string[] {
  const bytes = Buffer.from(canary)
  const hex = bytes.toString('hex')
  // Three letters are found by chance in anything longer than a log line, once they are base64.
  if (canary.length < 8) return [canary]
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    return text.slice(4, text.length - 4)
  })
  return [canary, hex, hex.replaceAll(/(..)(?!$)/g, '$1 '), [...bytes].join(','), ...base64]
}
