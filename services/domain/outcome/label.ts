import type { AcceptedEvent, Gate, SourceRecord } from '../event/accept.ts'
import { acceptEvent, deadLetter, forgetSeen } from '../event/accept.ts'
import type { Stream, Value } from '../event/contract.ts'
import type { Operator, Place, StateReader, Turn } from '../operator.ts'
import type { OutcomeEntry } from './entry.ts'
import { labelEntry } from './entry.ts'

export interface LabelDefinition {
  readonly stream: Stream
  /** The field of the label's record that holds the id of the scored event. */
  readonly id: string
  /** The label out of the record's fields; null when it says nothing. */
  readonly value: (fields: Readonly<Record<string, Value>>) => Value
}

/**
 * Reads a label stream into the outcome journal, under the same contract as any event. A late label is kept: labels
 * are late by nature, and the join knows the horizon. A record that repeats id, time and label is a duplicate; one
 * that differs in any of them may be a correction and goes on. A label that is null says nothing and is only counted.
 */
export function labelOperator(definition: LabelDefinition): Operator<SourceRecord> {
  const { stream, value } = definition
  const identify = (event: AcceptedEvent) => JSON.stringify([event.id, event.time, value(event.values)])
  const gate: Gate = { stage: 'label', stream, late: 'keep', identify }

  function turn(state: StateReader, record: SourceRecord, place: Place): Turn {
    const acceptance = acceptEvent(gate, state, record, place)
    if (acceptance.kind === 'rejected') return acceptance
    const { event, put = [], wake = [], watermark = place.watermark } = acceptance
    const id = textOf(event.values, definition.id)
    if (id === null) return deadLetter(gate, record, place, 'no-id', `${definition.id} is missing`)
    const label = value(event.values)
    const entry: OutcomeEntry | null = label === null ? null : labelEntry(id, event.time, label, stream.topic)
    const emit = entry === null ? [] : [{ to: 'journal', key: id, value: { ...entry } }]
    return { verdict: 'applied', put, wake, watermark, emit }
  }

  return { turn, wake: (_state, wake) => forgetSeen(wake) ?? { verdict: 'applied' } }
}

function textOf(values: Readonly<Record<string, Value>>, field: string): string | null {
  const value = Object.hasOwn(values, field) ? values[field] : null
  return value === null || value === undefined ? null : String(value)
}
