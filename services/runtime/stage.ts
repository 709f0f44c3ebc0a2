import type { Operator } from '../domain/operator.ts'
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

/** A step of a service: what it reads, what it writes, and the operator that decides. A task is one input partition. */
export interface Stage<In = unknown> {
  /** With the topology's version, for example `ingest-v1`. */
  readonly id: string
  readonly inputs: readonly { readonly topic: string; readonly partitions: number }[]
  readonly outputs: Readonly<Record<string, StageOutput>>
  readonly changelog: string
  /** The writers of each input topic; `source` for a user's own topic. */
  readonly writersOf: Readonly<Record<string, readonly string[]>>
  /** True when the inputs are user topics: event time is read here, and the partitions are kept aligned. */
  readonly source: boolean
  /** A source partition that has been quiet for this long is left out of the watermark. */
  readonly idleMs: number
  /** How far the watermark of the outputs lags behind the task's own. */
  readonly delayMs: number
  operator(topic: string): Operator<In>
  /** Everything asynchronous, for a whole batch, before the turns: decoding, scoring. */
  read(records: readonly FetchedRecord[]): Promise<Input<In>[]>
}

export interface TaskAddress {
  readonly topic: string
  readonly partition: number
  /** Over all inputs of the stage, in order: the partition of the changelog. */
  readonly index: number
}

export const sourceWriter = 'source'

export function writerName(stageId: string, topic: string, partition: number): string {
  return `${stageId}/${topic}/${partition}`
}

export function addressesOf(stage: Stage): TaskAddress[] {
  const addresses: TaskAddress[] = []
  for (const { topic, partitions } of stage.inputs) {
    for (let partition = 0; partition < partitions; partition++) {
      addresses.push({ topic, partition, index: addresses.length })
    }
  }
  return addresses
}
