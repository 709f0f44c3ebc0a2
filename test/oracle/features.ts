import type { Stream, Value } from '../../services/domain/event/contract.ts'
import type { AggregateFeature, AggregateName, Feature } from '../../services/domain/feature/definition.ts'
import { evaluate } from '../../services/domain/feature/expression.ts'
import type { FeatureStatus, JournalRecord, PartRecord } from '../../services/domain/feature/records.ts'
import { exactSum } from './exact-sum.ts'

export interface OracleDefinition {
  readonly scored: string
  readonly alignmentMs: number
  readonly streams: Readonly<Record<string, Stream>>
  readonly features: Readonly<Record<string, Feature>>
}

export interface NaiveVector {
  readonly values: Record<string, Value>
  readonly statuses: Record<string, FeatureStatus>
}

/**
 * A line of an entity journal. The watermark is the entity task's own at that line; it is needed only where an idle
 * partition came back with events older than the others' time.
 */
export type JournalLine = JournalRecord & { readonly taskWatermark?: number }

/**
 * Every feature vector by definition: for each event and each feature, all earlier lines of the journal are looked
 * through again. No state, no timers, no expiry, no incremental sums; only the meaning of an expression is shared
 * with the operators.
 *
 * @param partitions every partition of every entity journal from its beginning, marks left out, in offset order
 * @param ownParts the own parts of the feature-parts topic; of these only id, time, late, event and parts are used
 * @returns the last vector of each event id
 */
export function naiveFeatures(
  definition: OracleDefinition,
  partitions: readonly (readonly JournalLine[])[],
  ownParts: readonly PartRecord[],
): Map<string, NaiveVector> {
  const journals = partitions.map(indexJournal)
  const reads = new Map<string, { journal: IndexedJournal; line: number }>()
  for (const journal of journals) {
    journal.lines.forEach(({ stream, field, id }, line) => {
      if (stream === definition.scored) reads.set(JSON.stringify([field, id]), { journal, line })
    })
  }
  const vectors = new Map<string, NaiveVector>()
  for (const own of ownParts) {
    const vector: NaiveVector = { values: {}, statuses: {} }
    for (const [name, feature] of Object.entries(definition.features)) {
      const { computed, absent, warming, stale } = computeFeature(feature, own, (field) => {
        const read = own.parts.includes(field) ? reads.get(JSON.stringify([field, own.id])) : undefined
        return read && { ...read, slackMs: naiveSlackMs(definition) }
      })
      vector.values[name] = computed ?? feature.default
      if (own.late || stale) vector.statuses[name] = 'stale'
      else if (absent || (computed === null && feature.default === null)) vector.statuses[name] = 'missing'
      else if (computed === null) vector.statuses[name] = 'default'
      else vector.statuses[name] = warming ? 'warming' : 'value'
    }
    vectors.set(own.id, vector)
  }
  return vectors
}

interface IndexedJournal {
  readonly lines: readonly JournalLine[]
  /** Line numbers by stream, field and key: only so that a run of 10,000 events does not take a day. */
  readonly byKey: ReadonlyMap<string, readonly number[]>
  /** The earliest time of an event that was on time, up to and including each line. */
  readonly firstTimes: readonly number[]
}

interface Computed {
  readonly computed: Value
  readonly absent?: boolean
  readonly warming?: boolean
  readonly stale?: boolean
}

function computeFeature(
  feature: Feature,
  own: PartRecord,
  find: (field: string) => { journal: IndexedJournal; line: number; slackMs: number } | undefined,
): Computed {
  if (feature.kind === 'expression') return { computed: evaluate(feature.of, own.event) }
  const read = find(feature.at)
  if (read === undefined) return { computed: null, absent: true }
  const { journal, line, slackMs } = read
  const { time, taskWatermark = time } = journal.lines[line]!
  if (time < taskWatermark - slackMs) return { computed: null, stale: true }
  const warming = time - (journal.firstTimes[line] ?? time) < feature.quantity.window.sizeMs
  return { computed: aggregateOver(feature, journal, line), warming }
}

function aggregateOver({ quantity }: AggregateFeature, journal: IndexedJournal, line: number): Value {
  const { stream, by, of, self, window, aggregate } = quantity
  const { key, time } = journal.lines[line]!
  const inWindow = (journal.byKey.get(JSON.stringify([stream, by, key])) ?? [])
    .filter((at) => at < line || (at === line && self === 'include'))
    .map((at) => journal.lines[at]!)
    .filter((entry) => !entry.late && entry.time > time - window.sizeMs && entry.time <= time)
  const byTime = inWindow.toSorted((left, right) => left.time - right.time)
  const inputs = byTime.map((entry) => (of === null ? true : evaluate(of, entry.values)))
  return naiveAggregate(
    aggregate,
    inputs.filter((input) => input !== null),
  )
}

function naiveAggregate(name: AggregateName, inputs: readonly (boolean | number | string)[]): Value {
  const numbers = inputs as readonly number[]
  if (name === 'count') return inputs.length
  if (name === 'sum') return exactSum(numbers)
  if (inputs.length === 0) return null
  if (name === 'mean') return exactSum(numbers) / numbers.length
  if (name === 'share') return inputs.filter((input) => input === true).length / inputs.length
  if (name === 'min') return numbers.toSorted((left, right) => left - right)[0]!
  if (name === 'max') return numbers.toSorted((left, right) => right - left)[0]!
  return inputs.at(-1)!
}

function indexJournal(lines: readonly JournalLine[]): IndexedJournal {
  const byKey = new Map<string, number[]>()
  const firstTimes: number[] = []
  let first = Infinity
  lines.forEach(({ stream, field, key, time, late }, line) => {
    const name = JSON.stringify([stream, field, key])
    const same = byKey.get(name)
    if (same === undefined) byKey.set(name, [line])
    else same.push(line)
    if (!late) first = Math.min(first, time)
    firstTimes.push(first)
  })
  return { lines, byKey, firstTimes }
}

function naiveSlackMs({ streams, alignmentMs }: OracleDefinition): number {
  return alignmentMs + 2 * Math.max(...Object.values(streams).map(({ latenessMs }) => latenessMs))
}
