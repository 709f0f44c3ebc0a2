import {
  boolean,
  count,
  entity,
  event,
  integer,
  mean,
  number,
  share,
  string,
  timestamp,
  topology,
} from 'tidemark'
import { expect, test } from 'vitest'
import { checkEvent } from '../../services/domain/event/contract.ts'
import { evaluate } from '../../services/domain/feature/expression.ts'
import { compile } from '../../topologies/compile.ts'
import { model, monitors } from './cards.ts'

const odd = event('odd', {
  id: 'id',
  time: 'time',
  lateness: '1m',
  fields: {
    id: string(),
    time: timestamp(),
    by: entity('thing', string()),
    name: string({ oneOf: ['b', 'a'] }),
    length: integer(),
    toString: number(),
    constructor: boolean(),
  },
})

test('an event has its fields for properties and nothing else, whatever they are called', () => {
  expect(Object.keys(odd)).toEqual(['id', 'time', 'by', 'name', 'length', 'toString', 'constructor'])
  expect(Object.getPrototypeOf(odd)).toBeNull()
  expect('hasOwnProperty' in odd).toBe(false)
  expect(Object.isFrozen(odd)).toBe(true)
})

test('fields called id, time, by, name, length, toString and constructor go all the way to a value', () => {
  const compiled = compile(
    topology('odd', {
      version: 1,
      owner: 'someone@example.org',
      score: odd,
      features: {
        constructor: share(odd.constructor).by(odd.by).over('1h'),
        toString: mean(odd.toString.plus(odd.length)).by(odd.by).over('1h'),
        length: odd.length,
        valueOf: count(odd).by(odd.by).over('1h'),
      },
      label: {
        name: 'label',
        from: odd,
        value: odd.constructor,
        joins: { id: odd.id },
        horizon: '1h',
      },
      model: { ...model, inputs: ['constructor', 'toString', 'length', 'valueOf'] },
      segments: { name: odd.name },
      monitors: { ...monitors, critical: ['constructor'] },
    }),
  )
  expect(Object.keys(compiled.features)).toEqual(['constructor', 'length', 'toString', 'valueOf'])
  const record = { id: 'a', time: 1, by: 'b', name: 'a', length: 2, toString: 0.5, constructor: true }
  const checked = checkEvent(compiled.streams['odd']!, record)
  expect(checked.ok && checked.values).toEqual(record)
  const feature = compiled.features['toString']
  expect(feature?.kind === 'aggregate' && evaluate(feature.quantity.of!, record as never)).toBe(2.5)
})
