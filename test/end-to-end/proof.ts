import { expect, it } from 'vitest'
import type {
  FeaturePart,
  FeatureVector,
  JournalEntry,
  Outcome,
  OutcomeEntry,
  Prediction,
} from '../../schemas/types.ts'
import type { OutcomeEntry as DomainEntry } from '../../services/domain/outcome/entry.ts'
import { writersOf } from '../../services/runtime/stage.ts'
import { stagesOf } from '../../topologies/plan.ts'
import type { TopicKindName } from '../../topologies/topics.ts'
import { type NaiveVector, naiveFeatures } from '../oracle/features.ts'
import { naiveOutcomes } from '../oracle/outcomes.ts'
import { type Judged, judge } from './gate.ts'
import { byPartition, isMark, type RunTopics, type Stamped, type Stored } from './run-topics.ts'
import { taskWatermarks } from './task-watermarks.ts'

/** What must be true of the topics of any finished run of the flights, however many processes made them and died. */
export function proveTopics(topics: () => RunTopics): void {
  proveRecords(topics)
  proveMeaning(topics)
}

/** Nothing is lost on the way, and nothing is there twice. */
function proveRecords(topics: () => RunTopics): void {
  it('puts every accepted event into the journals once per role, and once among the parts', () => {
    const run = topics()
    const departures = judged(run, 'flights.departures')
    const landings = judged(run, 'flights.landings')
    const journal = payload<JournalEntry>(run, 'entity-journal')
    expect(
      differences(
        [
          ...departures.flatMap(({ topic, id }) => [`${topic} origin ${id}`, `${topic} destination ${id}`]),
          ...landings.map(({ topic, id }) => `${topic} destination ${id}`),
        ],
        journal.map(({ value: { stream, field, id } }) => `${stream} ${field} ${id}`),
      ),
    ).toEqual(none)
    const own = payload<FeaturePart>(run, 'feature-parts').filter(({ value }) => value.part === 'own')
    expect(
      differences(
        departures.map(({ id }) => id),
        own.map(({ value }) => value.id),
      ),
    ).toEqual(none)
  })

  it('makes one vector, one prediction and one settled outcome of every departure', () => {
    const run = topics()
    const departures = judged(run, 'flights.departures').map(({ id }) => id)
    const vectors = payload<FeatureVector>(run, 'features')
    const predictions = payload<Prediction>(run, 'predictions')
    const settled = payload<Outcome>(run, 'outcomes').filter(
      ({ value: { state, revision } }) => state !== 'orphan' && revision === 0,
    )
    for (const records of [vectors, predictions, settled]) {
      expect(
        differences(
          departures,
          records.map(({ value }) => value.id),
        ),
      ).toEqual(none)
    }
  })

  it('misses no record of any writer, and has none twice', () => {
    const run = topics()
    const written = new Map<string, number[]>()
    for (const kind of writtenKinds) {
      for (const { value } of payload<object>(run, kind)) {
        const { writer, index } = value.origin
        const indexes = written.get(writer)
        if (indexes === undefined) written.set(writer, [index])
        else indexes.push(index)
      }
    }
    const writers = stagesOf(run.plan).flatMap(({ tasks }) => tasks.map(({ writer }) => writer))
    expect([...run.checkpoints.keys()].sort()).toEqual(writers.toSorted())
    for (const [writer, { index, ended }] of run.checkpoints) {
      const indexes = (written.get(writer) ?? []).toSorted((left, right) => left - right)
      const expected = Array.from({ length: index }, (_, at) => at + 1)
      expect({ writer, ended, ...differences(expected, indexes) }).toEqual({ writer, ended: true, ...none })
    }
  })
}

/** What is in the records is what it should be by definition. */
function proveMeaning(topics: () => RunTopics): void {
  it('computes every feature vector as a naive recomputation from its own journals does', () => {
    const run = topics()
    expect(wrongVectors(run).slice(0, 5)).toEqual([])
    const vectors = payload<FeatureVector>(run, 'features')
    const statuses = new Set(vectors.flatMap(({ value }) => Object.values(value.statuses)))
    expect([...statuses].sort()).toEqual(expect.arrayContaining(['default', 'stale', 'value', 'warming']))
  })

  it('joins labels to predictions as a naive join of the outcome journal does', () => {
    const run = topics()
    const { horizonMs, absence } = run.topology.label
    const rules = { horizonMs, correctionMs: horizonMs, absence }
    const naive = byPartition(run.of<OutcomeEntry>('outcome-journal')).flatMap((records) => {
      const watermarks = taskWatermarks(writersTo(run, 'outcome-journal', records[0]!.partition), records)
      const lines = records.map(({ value }, at) => ({ value, watermark: watermarks[at]! }))
      const journal = lines.filter(({ value }) => value.kind === 'prediction' || value.kind === 'label')
      return naiveOutcomes(
        rules,
        journal.map(({ value, watermark }) => ({ entry: value as unknown as DomainEntry, watermark })),
      )
    })
    const published = payload<Outcome>(run, 'outcomes').map(({ value }) => value)
    expect(differences(naive.map(outcomeText), published.map(outcomeText))).toEqual(none)
    expect(published.some(({ state }) => state === 'corrected')).toBe(true)
  })
}

/** Vectors that differ from a naive recomputation, that are missing, or that are there twice: one line each. */
export function wrongVectors(run: RunTopics): string[] {
  const naive = naiveVectors(run)
  const vectors = payload<FeatureVector>(run, 'features')
  const count = vectors.length === naive.size ? [] : [`${vectors.length} vectors of ${naive.size} events`]
  return [...count, ...vectors.flatMap(({ value }) => compareVector(value, naive.get(value.id)))]
}

/** All accepted records of a topic of the user. */
export function judged({ sources }: RunTopics, topic: string): Judged[] {
  return judge(topic, sources.get(topic) ?? []).filter(({ fate }) => fate === 'applied')
}

export function payload<T>(run: RunTopics, kind: TopicKindName): readonly Stored<T & Stamped>[] {
  return run.of<T>(kind).filter((record) => !isMark(record))
}

const writtenKinds: readonly TopicKindName[] = [
  'entity-journal',
  'feature-parts',
  'features',
  'predictions',
  'outcome-journal',
  'outcomes',
  'panes',
  'drift',
  'coverage',
  'performance',
  'alerts',
  'late',
  'dead-letters',
]

const none = { missing: [], unexpected: [] }

/** What is in one bag and not in the other, the first few of each: an assertion about 40,000 lines must stay readable. */
function differences<T>(expected: readonly T[], actual: readonly T[]): { missing: T[]; unexpected: T[] } {
  return { missing: without(expected, actual), unexpected: without(actual, expected) }
}

function without<T>(these: readonly T[], those: readonly T[]): T[] {
  const left = new Map<T, number>()
  for (const one of those) left.set(one, (left.get(one) ?? 0) + 1)
  const found: T[] = []
  for (const one of these) {
    const count = left.get(one) ?? 0
    if (count === 0) found.push(one)
    else left.set(one, count - 1)
  }
  return found.slice(0, 5)
}

function naiveVectors(run: RunTopics): Map<string, NaiveVector> {
  const journals = byPartition(run.of<JournalEntry>('entity-journal')).map((records) => {
    const watermarks = taskWatermarks(writersTo(run, 'entity-journal', records[0]!.partition), records)
    return records.flatMap(({ value }, at) =>
      value.kind === 'event' ? [{ ...value, taskWatermark: watermarks[at]! }] : [],
    )
  })
  const own = payload<FeaturePart>(run, 'feature-parts').filter(({ value }) => value.part === 'own')
  return naiveFeatures(
    run.topology,
    journals,
    own.map(({ value }) => value),
  )
}

function writersTo({ plan }: RunTopics, kind: TopicKindName, partition: number): readonly string[] {
  const names = plan.topics.filter((topic) => topic.kind === kind).map(({ name }) => name)
  const reader = stagesOf(plan).find(({ inputs }) => inputs.some(({ topic }) => names.includes(topic)))
  return writersOf(reader!.inputs.find(({ topic }) => names.includes(topic))!, partition)
}

/** Values to 1e-12 relative where they are sums, exactly otherwise; statuses always. */
function compareVector(vector: FeatureVector, naive: NaiveVector | undefined): string[] {
  const { id, values, statuses } = vector
  if (naive === undefined) return [`${id}: nothing is known of it`]
  const names = Object.keys(naive.values).sort()
  if (Object.keys(values).join() !== names.join()) return [`${id}: it has ${Object.keys(values).join()}`]
  return names.flatMap((name) => {
    const [value, expected] = [values[name], naive.values[name]]
    const same =
      typeof value === 'number' && typeof expected === 'number' && /Delay/.test(name)
        ? Math.abs(value - expected) <= 1e-12 * Math.max(1, Math.abs(expected))
        : value === expected
    if (same && statuses[name] === naive.statuses[name]) return []
    return [`${id}.${name}: ${value} ${statuses[name]}, not ${expected} ${naive.statuses[name]}`]
  })
}

function outcomeText({
  id,
  state,
  label,
  labelTime,
  revision,
}: Pick<Outcome, 'id' | 'state' | 'labelTime' | 'revision'> & { readonly label: unknown }): string {
  return `${id} ${revision} ${state} ${label} ${labelTime}`
}
