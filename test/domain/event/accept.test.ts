import { describe, expect, it } from 'vitest'
import type { Gate, SourceRecord } from '../../../services/domain/event/accept.ts'
import { acceptEvent, forgetSeen } from '../../../services/domain/event/accept.ts'
import type { Stream } from '../../../services/domain/event/contract.ts'
import type { Data, Place, Turn } from '../../../services/domain/operator.ts'
import { beforeTime } from '../../../services/domain/operator.ts'

const stream: Stream = {
  topic: 'landings',
  partitions: 4,
  id: 'flight',
  time: 'landed',
  latenessMs: 100,
  maxAheadMs: 1000,
  dedupeMs: 5000,
  idleMs: 60_000,
  fields: {
    flight: { type: 'string', nullable: false, breach: 'reject' },
    landed: { type: 'timestamp', nullable: false, breach: 'reject' },
    delay: { type: 'number', nullable: false, range: [-120, 2000], breach: 'reject' },
  },
}
const gate: Gate = { stage: 'ingest', stream, late: 'score' }

function record(value: unknown): SourceRecord {
  const raw = new TextEncoder().encode(JSON.stringify(value))
  return { key: new TextEncoder().encode('ATL'), value: raw, decoded: { ok: true, value } }
}

function place(watermark: number, timestamp = 10_000): Place {
  return { topic: 'landings', partition: 2, offset: 7, timestamp, watermark }
}

function stateOf(entries: Readonly<Record<string, Data>> = {}) {
  return { get: (key: string) => (Object.hasOwn(entries, key) ? entries[key] : undefined) }
}

const landing = (landed: number, more: object = {}) => record({ flight: 'F1', landed, delay: 3, ...more })

describe('the gate of a user topic', () => {
  it('accepts an event in time, remembers its id and moves the watermark by the allowed lateness', () => {
    expect(acceptEvent(gate, stateOf(), landing(9000), place(beforeTime))).toEqual({
      kind: 'accepted',
      event: {
        id: 'F1',
        time: 9000,
        values: { flight: 'F1', landed: 9000, delay: 3 },
        flagged: [],
        late: false,
      },
      put: [['seen/F1', 9000]],
      wake: [{ at: 14_000, key: 'seen/F1' }],
      watermark: 8900,
    })
  })

  it('marks a late event and lets it move nothing, the watermark itself being in time', () => {
    const late = acceptEvent(gate, stateOf(), landing(8899), place(8900))
    expect(late).toMatchObject({ kind: 'accepted', event: { late: true }, watermark: 8900 })
    expect(late.wake).toEqual([{ at: 13_900, key: 'seen/F1' }])
    const justInTime = acceptEvent(gate, stateOf(), landing(8900), place(8900))
    expect(justInTime).toMatchObject({ kind: 'accepted', event: { late: false }, watermark: 8900 })
  })

  it('sends a late event to the late topic under the drop policy, as it came, and knows it when it comes again', () => {
    const came = landing(8000)
    const late = acceptEvent({ ...gate, late: 'drop' }, stateOf(), came, place(8900))
    expect(late).toMatchObject({
      kind: 'rejected',
      verdict: 'late',
      put: [['seen/F1', 8000]],
      watermark: 8900,
    })
    expect(late.kind === 'rejected' && late.emit).toEqual([
      {
        to: 'late',
        key: 'ATL',
        value: {
          topic: 'landings',
          partition: 2,
          offset: 7,
          timestamp: 10_000,
          id: 'F1',
          time: 8000,
          latenessMs: 900,
          watermarkAt: 8900,
          reason: 'after-watermark',
          stage: 'ingest',
          raw: came.value,
        },
      },
    ])
  })

  it('calls an id that it remembers a duplicate, whatever else the record says, and moves nothing', () => {
    const again = acceptEvent(gate, stateOf({ 'seen/F1': 9000 }), landing(9900, { delay: 7 }), place(8900))
    expect(again).toEqual({ kind: 'rejected', verdict: 'duplicate' })
  })

  it('takes another identity where the stage gives one', () => {
    const identify = ({ id, time }: { id: string; time: number }) => `${id}@${time}`
    const other = acceptEvent(
      { ...gate, identify },
      stateOf({ 'seen/F1@9000': 9000 }),
      landing(9100),
      place(8900),
    )
    expect(other).toMatchObject({ kind: 'accepted', put: [['seen/F1@9100', 9100]] })
  })

  it('dead-letters what it cannot use, as it came, and lets it move nothing', () => {
    const far = landing(11_001)
    const broken = landing(9000, { delay: 5000 })
    const noise: SourceRecord = {
      key: null,
      value: Uint8Array.of(255, 0),
      decoded: { ok: false, detail: 'neither Avro nor JSON' },
    }
    const cases = [
      [far, 'far-future', "landed is 1001 ms ahead of the record's timestamp; allowed are 1000 ms", 'ATL'],
      [broken, 'contract', expect.stringMatching(/^delay: /), 'ATL'],
      [record({ landed: 9000, delay: 3 }), 'no-id', expect.stringMatching(/flight/), 'ATL'],
      [record({ flight: 'F1', delay: 3 }), 'no-time', expect.stringMatching(/landed/), 'ATL'],
      [noise, 'undecodable', 'neither Avro nor JSON', 'landings/2/7'],
    ] as const
    for (const [came, reason, detail, key] of cases) {
      const rejected = acceptEvent(gate, stateOf(), came, place(8900))
      const { key: rawKey, value: raw } = came
      const where = { topic: 'landings', partition: 2, offset: 7, timestamp: 10_000, stage: 'ingest' }
      const value = { ...where, reason, detail, key: rawKey, value: raw, valueSha256: null, truncated: false }
      expect(rejected).toEqual({
        kind: 'rejected',
        verdict: 'dead-letter',
        emit: [{ to: 'deadLetters', key, value }],
      })
    }
  })

  it.each([
    ['absent', null],
    ['no text', Uint8Array.of(0xff, 0xfe)],
    ['long', new Uint8Array(1025).fill(0x61)],
  ])('keys what it refuses by its coordinates when the key is %s, and keeps the key itself', (_, key) => {
    const broken: SourceRecord = { key, value: null, decoded: { ok: false, detail: 'it has no value' } }
    const { emit } = acceptEvent(gate, stateOf(), broken, place(0)) as Turn
    expect(emit).toMatchObject([{ to: 'deadLetters', key: 'landings/2/7', value: { key } }])
  })

  it('accepts an event that is ahead of its record by just what is allowed', () => {
    expect(acceptEvent(gate, stateOf(), landing(11_000), place(8900)).kind).toBe('accepted')
  })

  it('forgets an id when its wake comes, and leaves other wakes alone', () => {
    expect(forgetSeen({ at: 14_000, key: 'seen/F1' })).toEqual({
      verdict: 'applied',
      put: [['seen/F1', undefined]],
    })
    expect(forgetSeen({ at: 14_000, key: 'window/F1' })).toBeUndefined()
  })
})
