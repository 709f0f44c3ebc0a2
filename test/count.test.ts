import { expect, it } from 'vitest'
import { countOf, runsEverything, sumOf } from './count.ts'

const root = '/repo'
const unit = file('test/domain/a.test.ts', 'passed', ['passed', 'passed'])
const broker = file('test/broker/b.test.ts', 'passed', ['passed'])

it('counts what passed and what failed', () => {
  const failing = file('test/broker/c.test.ts', 'failed', ['passed', 'failed'])
  expect(countOf(report(unit, broker, failing), whole(1))).toEqual({ passed: 4, failed: 1, remarks: [] })
})

it.each(['skipped', 'pending', 'todo'])('takes a %s broker test of the whole run for a failure', (status) => {
  const skipping = file('test/broker/c.test.ts', 'passed', ['passed', status])
  expect(countOf(report(broker, skipping), whole(0))).toEqual({
    passed: 2,
    failed: 1,
    remarks: ['skipped, so failed: test/broker/c.test.ts: test 1'],
  })
})

it('says nothing about tests that were left out by name', () => {
  const chosen = file('test/domain/a.test.ts', 'passed', ['passed', 'skipped'])
  const options = { root, exitCode: 0, everything: false }
  expect(countOf(report(chosen), options)).toEqual({ passed: 1, failed: 0, remarks: [] })
})

it('fails a whole run in which no broker test ran', () => {
  expect(countOf(report(unit), whole(0))).toEqual({ passed: 2, failed: 1, remarks: ['no broker test ran'] })
})

it('fails for a file that broke outside its tests', () => {
  const broken = file('test/domain/d.test.ts', 'failed', [])
  expect(countOf(report(broker, broken), whole(1))).toEqual({
    passed: 1,
    failed: 1,
    remarks: ['failed outside its tests: test/domain/d.test.ts'],
  })
})

it('fails for a run that ended badly though all its tests passed', () => {
  expect(countOf(report(broker), whole(1)).remarks).toEqual(['Vitest ended with 1'])
  expect(countOf(undefined, whole(0))).toEqual({ passed: 0, failed: 1, remarks: ['Vitest wrote no report'] })
})

it('knows which options leave tests out', () => {
  expect(runsEverything([])).toBe(true)
  expect(runsEverything(['--bail=1'])).toBe(true)
  for (const option of ['test/domain', '--project', '--project=unit', '-t', '--shard=1/2']) {
    expect(runsEverything([option])).toBe(false)
  }
})

it('adds up', () => {
  const counts = [
    { passed: 1, failed: 0, remarks: ['a'] },
    { passed: 2, failed: 3, remarks: ['b'] },
  ]
  expect(sumOf(counts)).toEqual({ passed: 3, failed: 3, remarks: ['a', 'b'] })
})

function whole(exitCode: number) {
  return { root, exitCode, everything: true }
}

function report(...testResults: unknown[]) {
  return { testResults }
}

function file(name: string, status: string, statuses: readonly string[]) {
  const assertionResults = statuses.map((status, index) => ({ status, fullName: `test ${index}` }))
  return { name: `${root}/${name}`, status, assertionResults }
}
