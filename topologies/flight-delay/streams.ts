import { DefinitionError } from '../../services/domain/definition-error.ts'
import { timestampOf } from '../../services/domain/event/timestamp.ts'

/** One record for a topic. Times are ms since 1970-01-01T00:00Z. */
export interface FlightRecord {
  readonly topic: 'flights.departures' | 'flights.landings'
  /** The airport where it happens. */
  readonly key: string
  readonly time: number
  readonly value: Readonly<Record<string, string | number>>
}

const header = 'date,delay_min,distance_mi,origin,destination'
const minuteMs = 60_000

/**
 * Both event streams of a file of flights, merged by event time (then topic, then flight), as they would have come.
 * The file tells no zone: its local minutes are taken as if all airports had one clock, and that clock were UTC.
 * @throws DefinitionError that names the line which is no flight.
 */
export function flightRecords(csv: string): readonly FlightRecord[] {
  const [first, ...lines] = csv.trimEnd().split(/\r?\n/)
  if (first !== header) throw new DefinitionError(`flights: the first line is not "${header}"`)
  return lines.flatMap((line, index) => recordsOf(line, index + 1)).sort(inOrder)
}

/**
 * Minutes in the air and on the ground of a flight that is on time, estimated: 40 minutes for taxi, climb and approach,
 * then 450 miles an hour. The data has no landing times; the delay is added to this.
 */
export function flightMinutes(distanceMiles: number): number {
  return Math.round(40 + distanceMiles / 7.5)
}

function recordsOf(line: string, row: number): readonly [FlightRecord, FlightRecord] {
  const [date = '', delayText, distanceText, origin = '', destination = ''] = line.split(',')
  const departed = timestampOf(`${date}Z`)
  const [delay, distance] = [Number(delayText), Number(distanceText)]
  if (
    departed === undefined ||
    !Number.isSafeInteger(delay) ||
    !Number.isSafeInteger(distance) ||
    destination === ''
  )
    throw new DefinitionError(`flights: line ${row + 1} is not a flight`)
  const flight = `F${String(row).padStart(5, '0')}`
  const landed = departed + (flightMinutes(distance) + delay) * minuteMs
  return [
    {
      topic: 'flights.departures',
      key: origin,
      time: departed,
      value: { flight, departed, origin, destination, distance },
    },
    {
      topic: 'flights.landings',
      key: destination,
      time: landed,
      value: { flight, landed, origin, destination, delay },
    },
  ]
}

function inOrder(a: FlightRecord, b: FlightRecord): number {
  return (
    a.time - b.time ||
    compareText(a.topic, b.topic) ||
    compareText(String(a.value['flight']), String(b.value['flight']))
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
