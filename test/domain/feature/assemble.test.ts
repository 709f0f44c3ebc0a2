import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assemble } from '../../../services/domain/feature/assemble.ts'
import type { Feature } from '../../../services/domain/feature/definition.ts'
import type { PartRecord } from '../../../services/domain/feature/records.ts'
import { startTask } from '../../driver/driver.ts'

const feature: Feature = {
  ...{ kind: 'expression', of: { op: 'literal', value: 1 } },
  ...{ type: 'number', default: null, owner: '', version: 1, description: '' },
}
const features = { b: feature, a: feature, c: { ...feature, default: 9 } }

const own = part('own', { b: 2 }, ['own', 'card', 'own'])
const card = part('card', { a: 1 })
/** A role whose field happens to be called `own`. */
const named = part('own', { c: null })

test('parts in any order give one vector, with the features sorted', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([own, card, named], { minLength: 3 }), (parts) => {
      const task = start()
      const written = parts.flatMap((one, index) => task.internal(stamped(one, index)))
      expect(written.map(({ output, key }) => [output, key])).toEqual([['features', 'e1']])
      expect(written[0]?.value).toMatchObject({
        id: 'e1',
        time: 100,
        stream: 'payments',
        late: false,
        event: { x: 1 },
      })
      expect(Object.entries(written[0]?.value['values'] as object)).toEqual([
        ['a', 1],
        ['b', 2],
        ['c', null],
      ])
      expect(task.end()).toEqual([])
      expect(task.keys()).toEqual([])
    }),
  )
})

test('an event without other parts is complete at once', () => {
  const task = start()
  expect(task.internal(stamped({ ...own, parts: ['own'] }, 0))).toHaveLength(1)
})

test('a vector goes out incomplete when the wait is over, and not before', () => {
  const task = start()
  task.internal(stamped(own, 0))
  expect(task.mark('up', 149)).toEqual([])
  const [vector] = task.mark('up', 150)
  expect(vector?.value['values']).toEqual({ a: null, b: 2, c: 9 })
  expect(vector?.value['statuses']).toEqual({ a: 'missing', b: 'value', c: 'missing' })
  task.end()
  expect(task.keys()).toEqual([])
})

test('a late event is waited for as long as any other', () => {
  const task = start()
  task.mark('up', 1_000)
  task.internal(stamped({ ...own, late: true }, 0))
  expect(task.mark('up', 1_049)).toEqual([])
  const [vector] = task.mark('up', 1_050)
  expect(vector?.value['statuses']).toEqual({ a: 'stale', b: 'value', c: 'stale' })
})

test('the end of the input leaves nothing pending', () => {
  const task = start()
  task.internal(stamped(card, 0))
  expect(task.end()).toMatchObject([{ key: 'e1', value: { values: { a: 1, b: null, c: 9 }, event: {} } }])
  expect(task.keys()).toEqual([])
})

test('an event that comes whole again is a duplicate, until its id is forgotten', () => {
  const task = start()
  const whole = (index: number) => task.internal(stamped(part('own', { a: 1, b: 2, c: 3 }, ['own']), index))
  expect(whole(0)).toHaveLength(1)
  expect(whole(1)).toEqual([])
  expect(task.end()).toEqual([])
  expect(task.keys()).toEqual([])
})

function start() {
  const vectorOf = { topology: 't', topologyHash: 'h', featureSet: 's', scored: 'payments' }
  return startTask({
    writer: 'assemble',
    upstreams: ['up'],
    operator: assemble({ ...vectorOf, features, waitMs: 50, rememberMs: 500 }),
  })
}

function part(name: string, values: PartRecord['values'], parts: readonly string[] = []): PartRecord {
  const statuses = Object.fromEntries(Object.keys(values).map((feature) => [feature, 'value' as const]))
  const event = parts.length > 0 ? { x: 1 } : {}
  return { id: 'e1', part: name, parts, time: 100, late: false, values, statuses, event }
}

function stamped(record: PartRecord, index: number) {
  const origin = { writer: 'up', incarnation: 1, offset: index, index: index + 1, time: 0 }
  return { ...record, origin, watermark: 0 }
}
