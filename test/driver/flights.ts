import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tidy/files.ts'
import { random } from './random.ts'

const flightDelay = join(root, 'topologies', 'flight-delay')

/** The flight topology in a folder of its own, under another name, with fewer partitions. */
export function copyFlightDelay(folder: string, name: string, partitions: number): string {
  const copy = join(folder, name)
  mkdirSync(copy, { recursive: true })
  cpSync(join(flightDelay, 'model'), join(copy, 'model'), {
    recursive: true,
    filter: (path) => !path.includes('.venv'),
  })
  const text = readFileSync(join(flightDelay, 'topology.ts'), 'utf8')
    .replace("topology('flight-delay'", `topology('${name}'`)
    .replaceAll("'flights.", `'${name}.`)
    .replaceAll("lateness: '30m',", `lateness: '30m', partitions: ${partitions},`)
  writeFileSync(join(copy, 'topology.ts'), text)
  return copy
}

export interface Line {
  readonly stream: 'departures' | 'landings'
  readonly id: string
  readonly value: Buffer
  /** When it comes, in event time. */
  readonly at: number
}

const minuteMs = 60_000
const airports = ['ATL', 'ORD', 'DFW', 'LAX', 'PHX', 'JFK']

/** Two days of flights, as trouble would have them: out of order, late, twice, broken, and some never landing. */
export function troubledFlights(seed: number, count: number): Line[] {
  const { below, chance, pick } = random(seed)
  const timed: Line[] = []
  const bring = (at: number, line: Omit<Line, 'at'>) => {
    timed.push({ at, ...line })
    if (chance(0.05)) timed.push({ at: at + below(30) * minuteMs, ...line })
  }
  const json = (value: object) => Buffer.from(JSON.stringify(value))
  for (let n = 0; n < count; n += 1) {
    const id = `F${String(n).padStart(5, '0')}`
    const departed = Date.UTC(2001, 0, 1) + Math.floor((n * 2 * 1440) / count) * minuteMs
    const [origin, destination] = [pick(airports), pick(airports)]
    const arrives = () => (chance(0.1) ? below(180) : chance(0.3) ? below(20) : 0) * minuteMs
    const distance = chance(0.03) ? -1 : 100 + below(2_000)
    const flight = { flight: id, departed, origin, destination, distance }
    bring(departed + arrives(), { stream: 'departures', id, value: json(flight) })
    if (chance(0.1)) continue
    const landed = departed + (60 + below(240)) * minuteMs
    const delay = chance(0.05) ? null : below(120) - 30
    const landing = { flight: id, landed, origin, destination, delay }
    bring(landed + arrives(), { stream: 'landings', id, value: json(landing) })
    if (chance(0.03)) bring(departed, { stream: 'departures', id: `bad-${n}`, value: Buffer.from('{oops') })
  }
  return timed.toSorted((left, right) => left.at - right.at)
}
