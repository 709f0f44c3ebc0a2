import { isPayload } from '../../services/cli/read-all.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import type { Wire } from '../../services/runtime/wire.ts'
import type { Plan } from '../../topologies/plan.ts'

/**
 * The records of a topic's partition by who wrote them, in order, as bytes of their deterministic part: writers take
 * turns as chance has it, and marks are not what a stage computes.
 */
export function writtenBy(
  wire: Wire,
  { name, schema }: { readonly name: string; readonly schema: string },
  records: readonly FetchedRecord[],
  offsets: 'compared' | 'left out' = 'compared',
): Map<string, string[]> {
  const byWriter = new Map<string, string[]>()
  for (const { partition, key, value } of records) {
    const record = wire.decode(schema, value!)
    const { origin, kind, runtime } = record as {
      origin: { writer: string }
      kind?: string
      runtime?: unknown
    }
    if (kind !== undefined && !isPayload({ kind })) continue
    const fixed = {
      ...record,
      ...(runtime === undefined ? {} : { runtime: { instance: '', at: 0, micros: 0 } }),
      ...(offsets === 'compared' ? {} : { origin: { ...origin, offset: 0 } }),
    }
    const line = `${key?.toString()} ${wire.encode(schema, fixed, name).toString('base64')}`
    const place = `${name}/${partition} by ${origin.writer}`
    byWriter.set(place, [...(byWriter.get(place) ?? []), line])
  }
  return byWriter
}

/** Topics that stages write, changelogs and the control topic left out. */
export function writtenTopics(plan: Plan): { name: string; partitions: number; schema: string }[] {
  const left = new Set(['changelog', 'control', 'topology', 'source'])
  return plan.topics.flatMap(({ name, kind, partitions, schema }) =>
    left.has(kind) || schema === null ? [] : [{ name, partitions, schema }],
  )
}

/** What a changelog partition comes to: the last value of every key. */
export function folded(records: readonly FetchedRecord[]): Map<string, Buffer> {
  const state = new Map<string, Buffer>()
  for (const { key, value } of records) {
    const name = key!.toString()
    if (value === null) state.delete(name)
    else state.set(name, value)
  }
  return state
}
