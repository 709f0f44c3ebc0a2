import type { Value } from '../../services/domain/event/contract.ts'
import type { AggregateFeature, AggregateName } from '../../services/domain/feature/definition.ts'
import { compileExpression, type Evaluate } from '../../services/domain/feature/expression.ts'
import { roundedSum } from './exact-sum.ts'
import type { JournalLine, OracleDefinition } from './features.ts'

/** What one line of a journal reads: each feature's value before its default, or that the line came too late to read. */
export interface WindowReading {
  readonly isWarming: boolean
  readonly isGone: boolean
  readonly computed: Value
}

/** Takes the lines of one partition of one entity's journal in order; the answer is by feature name, sorted. */
export type WindowReader = (line: JournalLine) => readonly (readonly [name: string, reading: WindowReading])[]

/**
 * The naive oracle's windows for journals of a million lines: what is looked through again for each line is the window
 * of its key and no more. Every event of a key is kept, in (time, arrival) order, for ever; there are no timers, no
 * expiry and no incremental sums. `naiveFeatures` says the same with less cleverness, and a test compares the two.
 */
export function windowReader(definition: OracleDefinition, entity: string): WindowReader {
  const latenesses = Object.values(definition.streams).map(({ latenessMs }) => latenessMs)
  const slackMs = definition.alignmentMs + 2 * Math.max(...latenesses)
  const features = Object.keys(definition.features)
    .sort()
    .flatMap((name) => {
      const feature = definition.features[name]!
      return feature.kind === 'aggregate' && feature.quantity.entity === entity
        ? [prepare(name, feature)]
        : []
    })
  const readers = Map.groupBy(features, ({ feature }) => feature.at)
  const inputs = Map.groupBy(features, ({ source }) => source)
  const series = new Map<string, Series>()
  let first = Number.POSITIVE_INFINITY

  return (line) => {
    const { stream, field, key, time, late, taskWatermark = time } = line
    if (!late) first = Math.min(first, time)
    const reading = stream === definition.scored ? (readers.get(field) ?? []) : []
    const isGone = time < taskWatermark - slackMs
    const read = ({ feature, source, input }: Prepared): WindowReading => {
      const { window, aggregate } = feature.quantity
      const isWarming = time - (first === Number.POSITIVE_INFINITY ? time : first) < window.sizeMs
      if (isGone) return { isGone, isWarming, computed: null }
      const known = series.get(`${source}|${key}`)
      return { isGone, isWarming, computed: aggregateOf(aggregate, known, input, time, window.sizeMs) }
    }
    const before = reading.map((one) => (one.feature.quantity.self === 'exclude' ? read(one) : undefined))
    const source = sourceOf(stream, field)
    const taken = late ? undefined : inputs.get(source)
    if (taken !== undefined) insert(series, `${source}|${key}`, taken, line)
    return reading.map((one, at) => [one.name, before[at] ?? read(one)])
  }
}

interface Prepared {
  readonly name: string
  readonly feature: AggregateFeature
  /** Stream and field whose events are aggregated. */
  readonly source: string
  /** The aggregated input as text; empty when events are counted. */
  readonly input: string
  readonly evaluate: Evaluate | undefined
}

/** The events of one key, by time and, within a time, arrival. */
interface Series {
  readonly times: number[]
  readonly inputs: Map<string, Value[]>
}

function prepare(name: string, feature: AggregateFeature): Prepared {
  const { of, stream, by } = feature.quantity
  const evaluate = of === null ? undefined : compileExpression(of)
  return {
    name,
    feature,
    source: sourceOf(stream, by),
    input: of === null ? '' : JSON.stringify(of),
    evaluate,
  }
}

function sourceOf(stream: string, field: string): string {
  return JSON.stringify([stream, field])
}

function insert(
  all: Map<string, Series>,
  name: string,
  taken: readonly Prepared[],
  { time, values }: JournalLine,
): void {
  let series = all.get(name)
  if (series === undefined) {
    series = { times: [], inputs: new Map() }
    all.set(name, series)
  }
  const at = firstAfter(series.times, time)
  for (const { input, evaluate } of taken) {
    if (evaluate === undefined) continue
    let column = series.inputs.get(input)
    if (column === undefined) {
      column = []
      series.inputs.set(input, column)
    }
    // Several features take the same input: it is put in once.
    if (column.length === series.times.length) column.splice(at, 0, evaluate(values))
  }
  series.times.splice(at, 0, time)
}

/** How many of the ascending times are at or before `time`. */
function firstAfter(times: readonly number[], time: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! <= time) low = middle + 1
    else high = middle
  }
  return low
}

function aggregateOf(
  name: AggregateName,
  series: Series | undefined,
  input: string,
  time: number,
  sizeMs: number,
): Value {
  const [from, to] = series
    ? [firstAfter(series.times, time - sizeMs), firstAfter(series.times, time)]
    : [0, 0]
  if (name === 'count' && input === '') return to - from
  const known = (series?.inputs.get(input)?.slice(from, to) ?? []).filter((value) => value !== null)
  const numbers = known as number[]
  if (name === 'count') return known.length
  if (name === 'sum') return roundedSum(numbers)
  if (known.length === 0) return null
  if (name === 'mean') return roundedSum(numbers) / numbers.length
  if (name === 'share') return known.filter((value) => value === true).length / known.length
  if (name === 'min') return numbers.reduce((least, number) => (number < least ? number : least))
  if (name === 'max') return numbers.reduce((most, number) => (number > most ? number : most))
  return known.at(-1)!
}
