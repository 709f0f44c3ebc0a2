import type { EventTime, Operator } from '../domain/operator.ts'
import type { FetchedRecord } from './kafka/fetch.ts'
import type { Input } from './turns.ts'

/** A topic that a stage writes to. */
export interface StageOutput {
  readonly topic: string
  readonly partitions: number
  /** Name of the record in `schemas/`. */
  readonly schema: string
  /** `own` keeps the task's partition number; `key` hashes the key as Java's producer does. */
  readonly by: 'key' | 'own'
  /** A journal also carries marks: watermarks of writers that have nothing to send. */
  readonly journal: boolean
}

export interface StageInput {
  readonly topic: string
  readonly partitions: number
  /** A user's own topic: event time is read here, and its partitions are kept aligned. */
  readonly source: boolean
  /** Everybody who writes to it; all of them must have ended before it has. */
  readonly writers: readonly string[]
  /** Each partition is written only by the writers that read the partition of the same number. */
  readonly own: boolean
}

/** The writers of one partition of an input. */
export function writersOf({ writers, own }: StageInput, partition: number): readonly string[] {
  return own ? writers.filter((writer) => writer.endsWith(`/${partition}`)) : writers
}

/** One partition of one input. */
export interface TaskSpec {
  /** Over all inputs of the stage, in order: the partition of the changelog. */
  readonly index: number
  readonly topic: string
  readonly partition: number
  /** What the task calls itself in the records it writes. */
  readonly writer: string
  readonly transactionalId: string
}

/** A step of a service: what it reads, what it writes, and the operator that decides. */
export interface Stage<In = unknown> {
  /** With the topology's version, for example `ingest-v1`. */
  readonly id: string
  readonly inputs: readonly StageInput[]
  readonly outputs: Readonly<Record<string, StageOutput>>
  readonly tasks: readonly TaskSpec[]
  readonly changelog: { readonly topic: string }
  /** A source partition that has been quiet for this long is left out of the watermark. */
  readonly idleMs: number
  /** How far the watermark of the outputs lags behind the task's own. */
  readonly delayMs: number
  /** Whose watermarks make this task's: their minimum, or the latest that any record carries. */
  timekeepers(input: StageInput, partition: number): readonly string[] | 'latest'
  operator(topic: string): Operator<In>
  /** Event time of a record that has not had its turn; undefined when it will not be accepted. Only sources need it. */
  eventTime?(topic: string, record: In, timestamp: number): EventTime | undefined
  /** Everything asynchronous, for a whole batch, before the turns: decoding, scoring. */
  read(records: readonly FetchedRecord[]): Promise<Input<In>[]>
}

export function inputOf(stage: Stage, topic: string): StageInput {
  const input = stage.inputs.find((each) => each.topic === topic)
  if (input === undefined) throw new Error(`${stage.id} does not read ${topic}`)
  return input
}
