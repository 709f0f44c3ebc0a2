import { expect, it } from 'vitest'
import { balance, type Counted } from '../../services/cli/books.ts'

const input = {
  service: 'features',
  topic: 'departures',
  read: 10,
  applied: 6,
  late: 2,
  duplicate: 1,
  deadLettered: 1,
}

const balanced: Counted = {
  inputs: [input, { ...input, service: 'outcomes', topic: 'landings' }],
  features: 8,
  predictions: 8,
  carried: 8,
  labelled: 5,
  expired: 2,
  pending: 1,
  panePredictions: 8,
  paneOutcomes: 7,
}

it('balance when every record is somewhere, once', () => {
  const { balanced: holds, equations } = balance(balanced)
  expect(holds).toBe(true)
  expect(equations.map(({ left, right }) => left - right)).toEqual(equations.map(() => 0))
})

it('have one equation per input of a service, and name it', () => {
  const names = balance(balanced).equations.map(({ name }) => name)
  expect(names).toHaveLength(7)
  expect(names[0]).toBe('features: in(departures) = applied + late + duplicate + dead-lettered')
  expect(names[1]).toContain('outcomes: in(landings)')
})

it.each<[string, Partial<Counted>, string[]]>([
  ['a record read twice', { inputs: [{ ...input, applied: 7 }] }, ['features: in(departures)']],
  ['a record lost on the way in', { inputs: [{ ...input, read: 11 }] }, ['features: in(departures)']],
  ['a vector without a prediction', { features: 9 }, ['predictions: features = predictions']],
  ['a prediction that was not carried', { carried: 7 }, ['carried to the outcome journal']],
  ['an outcome too many', { expired: 3 }, ['labelled + expired + pending', 'outcome panes']],
  ['a prediction that no pane counted', { panePredictions: 7 }, ['prediction panes']],
  ['an outcome that no pane counted', { paneOutcomes: 6 }, ['outcome panes']],
])('do not balance with %s, and only the equations that it breaks fail', (_, change, broken) => {
  const { balanced: holds, equations } = balance({ ...balanced, ...change })
  const failed = equations.filter((each) => !each.holds)
  expect(holds).toBe(false)
  expect(failed).toHaveLength(broken.length)
  for (const [index, part] of broken.entries()) expect(failed[index]?.name).toContain(part)
})

it('do not take one missing and one doubled for nothing', () => {
  const inputs = [
    { ...input, read: 11 },
    { ...input, topic: 'landings', read: 9 },
  ]
  expect(balance({ ...balanced, inputs }).balanced).toBe(false)
})
