import { expect, it } from 'vitest'
import { beforeTime, endOfTime } from '../../services/domain/operator.ts'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import { newProgress, type Progress } from '../../services/runtime/turns.ts'
import { checkpointOf, encodeOutgoing, progressOf, type Wire } from '../../services/runtime/wire.ts'

const runtime = { instance: '0', at: 5, micros: 6 }

/** A wire that writes JSON, to see what was handed to it. */
const jsonWire: Wire = {
  encode: (schema, value, topic) => Buffer.from(JSON.stringify({ schema, topic, value })),
  prepare: async () => {},
  decode: (_, bytes) => JSON.parse(Buffer.from(bytes).toString()),
}

it.each<[string, Progress]>([
  ['of a new task', newProgress(1_795_216_138_703)],
  [
    'of a task at work',
    {
      position: 2 ** 40,
      watermark: 981_331_200_000,
      upstreams: new Map([
        ['z', { incarnation: 1, offset: -1, index: 2 ** 33, watermark: beforeTime, idle: true }],
        ['a', { incarnation: 2 ** 41, offset: 9, index: 0, watermark: endOfTime, idle: false }],
      ]),
      counts: { in: 15, applied: 8, late: 4, duplicate: 2, deadLettered: 1 },
      incarnation: 1_795_216_138_703,
      index: 2 ** 35,
      ended: true,
    },
  ],
])('the checkpoint %s comes back from the changelog as it went there', (_, progress) => {
  const codec = recordCodec('ChangelogEntry')
  const bytes = codec.encode({ value: null, checkpoint: checkpointOf(progress, 'hash') }, 1)
  expect(progressOf(codec.decode(bytes).checkpoint!)).toEqual(progress)
  // The store keeps it as JSON.
  const stored = JSON.parse(JSON.stringify(checkpointOf(progress, 'hash')))
  expect(progressOf(stored)).toEqual(progress)
})

it('a checkpoint lists the upstreams by name, so that equal progress has equal bytes', () => {
  const upstream = { incarnation: 1, offset: 0, index: 1, watermark: 1, idle: false }
  const listed = (...names: string[]) =>
    checkpointOf(
      { ...newProgress(1), upstreams: new Map(names.map((name) => [name, upstream])) },
      'h',
    ).upstreams.map(({ writer }) => writer)
  expect(listed('b', 'c', 'a')).toEqual(['a', 'b', 'c'])
})

it('a checkpoint does not change with the progress it was made of', () => {
  const progress = newProgress(1)
  const { counts } = checkpointOf(progress, 'h')
  progress.counts.in += 1
  expect(counts.in).toBe(0)
})

it.each(['JournalEntry', 'FeaturePart', 'OutcomeEntry', 'Pane'])(
  '%s says nothing of the run that made it',
  (schema) => {
    expect(written(schema, { n: 1 })).toEqual({ schema, topic: 't', value: { n: 1 } })
  },
)

it.each(['FeatureVector', 'Prediction', 'Outcome', 'LateRecord', 'Alert'])(
  '%s says which run made it',
  (schema) => {
    expect(written(schema, { n: 1 })).toEqual({ schema, topic: 't', value: { n: 1, runtime } })
  },
)

it('a dead letter is bounded on its way out', () => {
  const letter = written('DeadLetter', { value: Buffer.alloc(1_000_001) })
  expect(letter).toMatchObject({ value: { truncated: true, runtime } })
})

it('only a dead letter has headers', () => {
  const outgoing = { output: 'out', key: 'k', value: { topic: 't' }, headers: { trace: Buffer.from('1') } }
  const headersOf = (schema: string) => encodeOutgoing(jsonWire, outgoing, schema, 't', runtime).headers
  expect(headersOf('LateRecord')).toBeUndefined()
  expect(headersOf('DeadLetter')).toMatchObject({ trace: Buffer.from('1') })
})

function written(schema: string, value: Record<string, unknown>): unknown {
  const outgoing = { output: 'out', key: 'clé', value }
  const { key, value: bytes } = encodeOutgoing(jsonWire, outgoing, schema, 't', runtime)
  expect(key).toEqual(Buffer.from('clé'))
  return JSON.parse(bytes!.toString())
}
