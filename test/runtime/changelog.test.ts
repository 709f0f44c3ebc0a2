import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createChangelog, fenceKey } from '../../services/runtime/changelog.ts'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'
import { newProgress } from '../../services/runtime/turns.ts'
import { checkpointOf, type Wire } from '../../services/runtime/wire.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`runtime/changelog seed ${seed}`)

/** The codec alone, under one schema id; it counts what was not read in place. */
function wireOf(id: number) {
  const codec = recordCodec('ChangelogEntry')
  const counts = { decoded: 0 }
  const wire: Wire = {
    encode: (_, value) => codec.encode(value, id),
    prepare: async () => {},
    decode: (_, bytes) => {
      counts.decoded += 1
      return codec.decode(bytes) as unknown as Record<string, unknown>
    },
  }
  return { wire, counts, codec }
}

const fetched = ({ key, value }: OutRecord) => {
  return { topic: 'changelog', partition: 0, offset: 7, timestamp: 0, key, value, headers: {} }
}

it('writes of a change what the codec writes, and reads it in place', () => {
  const { wire, counts, codec } = wireOf(65_537)
  const changelog = createChangelog(wire, 'changelog')
  const sizes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(0, 63, 64, 8_191, 8_192, 1_048_576).map((length) => new Uint8Array(length).fill(length)),
  )
  fc.assert(
    fc.property(fc.string(), sizes, (key, bytes) => {
      const value = Buffer.from(bytes)
      const record = changelog.record([key, value])
      expect(record.value!.equals(codec.encode({ value, checkpoint: null }, 65_537))).toBe(true)
      const entry = changelog.read(fetched(record))
      expect('change' in entry && entry.change[0] === key && entry.change[1]!.equals(value)).toBe(true)
    }),
    { seed, numRuns: 300 },
  )
  expect(counts.decoded).toBe(0)
})

it('a removed key is a tombstone, and so is a fence', () => {
  const changelog = createChangelog(wireOf(1).wire, 'changelog')
  expect(changelog.record(['k', undefined])).toEqual({ key: Buffer.from('k'), value: null })
  const fence = fetched({ key: Buffer.from(fenceKey), value: null })
  expect(changelog.read(fence)).toEqual({ change: [fenceKey, undefined] })
})

it('what another schema version wrote goes through the codec, and so does a checkpoint', () => {
  const { wire, counts } = wireOf(1)
  const changelog = createChangelog(wire, 'changelog')
  const older = createChangelog(wireOf(2).wire, 'changelog').record(['k', Buffer.from('v')])
  expect(changelog.read(fetched(older))).toEqual({ change: ['k', Buffer.from('v')] })
  const checkpoint = checkpointOf({ ...newProgress(5), position: 9 }, 'hash')
  expect(changelog.read(fetched(changelog.seal(checkpoint)))).toEqual({ checkpoint })
  expect(counts.decoded).toBe(2)
})

it('a record without a key, or with bytes that are no entry, is not believed', () => {
  const changelog = createChangelog(wireOf(1).wire, 'changelog')
  expect(() => changelog.read(fetched({ key: null, value: null }))).toThrow('changelog/0 at 7: no key')
  const record = changelog.record(['k', Buffer.from('value')])
  const cut = { key: record.key, value: record.value!.subarray(0, -2) }
  expect(() => changelog.read(fetched(cut))).toThrow(expect.objectContaining({ code: 'TM_INTERNAL_RECORD' }))
})
