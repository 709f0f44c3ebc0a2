import type { EventTime, Operator } from '../../../services/domain/operator.ts'
import { recordCodec } from '../../../services/runtime/codec/avro.ts'
import type { FetchedRecord } from '../../../services/runtime/kafka/fetch.ts'
import type { Service } from '../../../services/runtime/run.ts'
import type { Stage, StageInput } from '../../../services/runtime/stage.ts'
import type { Input, Origin } from '../../../services/runtime/turns.ts'
import type { Wire } from '../../../services/runtime/wire.ts'

/** A service of one stage, as plain data: a process that is to die gets it as its argument. */
export interface Plan {
  readonly name: string
  readonly group: string
  readonly inputs: readonly {
    readonly topic: string
    readonly partitions: number
    readonly source: boolean
    /** Of an internal input: whose watermarks make the task's. */
    readonly writers: readonly string[]
  }[]
  readonly output: { readonly topic: string; readonly partitions: number; readonly by: 'key' | 'own' }
  readonly changelog: string
  readonly control: string
  readonly alignmentMs: number
}

/** What a record of the input asks for. */
export interface Order {
  readonly key: string
  readonly time: EventTime
  readonly amount: number
  /** Asks to be woken so long after the record's time; the wake says the count and forgets the key. */
  readonly wakeInMs?: number
  /** The turn takes so long, as a slow computation would. */
  readonly blockMs?: number
  /** So many characters go into the output, or into the state. */
  readonly outputChars?: number
  readonly stateChars?: number
}

export interface Counted {
  readonly kind: 'count' | 'wake'
  readonly key: string
  readonly n: number
  readonly sum: number
  readonly time: EventTime
  readonly pad?: string
}

/** Counts and adds up by key: whatever is lost, doubled or out of order changes every later number. */
export const counting: Operator<Order> = {
  turn(state, { key, time, amount, wakeInMs, blockMs, outputChars, stateChars }) {
    if (blockMs !== undefined) block(blockMs)
    const before = (state.get(key) ?? { n: 0, sum: 0 }) as { n: number; sum: number }
    const now = { n: before.n + 1, sum: before.sum + amount }
    const pad = outputChars === undefined ? {} : { pad: 'x'.repeat(outputChars) }
    const kept = stateChars === undefined ? {} : { pad: 'x'.repeat(stateChars) }
    return {
      verdict: 'applied',
      put: [[key, { ...now, ...kept }]],
      emit: [{ to: 'counts', key, value: { kind: 'count', key, ...now, time, ...pad } }],
      wake: wakeInMs === undefined ? [] : [{ at: time + wakeInMs, key }],
      watermark: time,
    }
  },
  wake(state, { at, key }) {
    const { n, sum } = (state.get(key) ?? { n: 0, sum: 0 }) as { n: number; sum: number }
    return {
      verdict: 'applied',
      put: [[key, undefined]],
      emit: [{ to: 'counts', key, value: { kind: 'wake', key, n, sum, time: at } }],
    }
  },
}

export function serviceOf(plan: Plan): Service {
  const inputs: StageInput[] = plan.inputs.map((input) => ({ ...input, own: false }))
  const places = inputs.flatMap(({ topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  const stage: Stage<Order> = {
    id: 'count',
    inputs,
    outputs: { counts: { ...plan.output, schema: 'Pane', journal: false } },
    tasks: places.map(({ topic, partition }, index) => ({
      ...{ index, topic, partition },
      writer: `count/${inputs.findIndex((input) => input.topic === topic)}/${partition}`,
      transactionalId: `${plan.name}-count-${index}`,
    })),
    changelog: { topic: plan.changelog },
    idleMs: 60_000,
    delayMs: 0,
    timekeepers: ({ writers }) => writers,
    operator: () => counting,
    eventTime: (_, order) => order.time,
    read: async (records) =>
      records.map((record) => readOrder(record, inputs.find(({ topic }) => topic === record.topic)!.source)),
  }
  return {
    name: 'count',
    topology: plan.name,
    topologyHash: 'hash',
    group: plan.group,
    controlTopic: plan.control,
    alignmentMs: plan.alignmentMs,
    stages: [stage as Stage],
  }
}

/** The runtime's own records as Avro under a made-up id, all others as JSON. */
export const plainWire: Wire = {
  encode: (schema, value) =>
    schema === 'ChangelogEntry' || schema === 'Control'
      ? recordCodec(schema).encode(value as never, 1)
      : Buffer.from(JSON.stringify(value)),
  prepare: async () => {},
  decode: (schema, bytes) =>
    schema === 'ChangelogEntry' || schema === 'Control'
      ? (recordCodec(schema).decode(bytes) as unknown as Record<string, unknown>)
      : JSON.parse(Buffer.from(bytes).toString()),
}

function readOrder(
  { topic, partition, offset, timestamp, value }: FetchedRecord,
  source: boolean,
): Input<Order> {
  const order = JSON.parse(String(value)) as Order & { kind?: string; origin: Origin; watermark: number }
  const place = { topic, partition, offset, timestamp }
  if (source) return { kind: 'source', record: order, place }
  if (order.kind === 'mark')
    return { kind: 'mark', place, origin: order.origin, watermark: order.watermark, idle: false }
  return { kind: 'internal', record: order, place, origin: order.origin, watermark: order.watermark }
}

function block(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs)
}
