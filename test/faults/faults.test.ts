import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Ended, startChild, within } from '../end-to-end/command.ts'
import type { Report } from './rig/report.ts'

const runMs = 240_000
const main = fileURLToPath(new URL('./main.ts', import.meta.url))

let ended: Ended
let report: Report

beforeAll(async () => {
  const child = startChild(process.execPath, [main, '--short', '--json'], {
    ...process.env,
    NODE_NO_WARNINGS: '1',
  })
  ended = await within(runMs, child, 'the short run of the fault suite')
  report = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1) ?? '') as Report
}, runMs + 30_000)

describe('a short run of the four services under faults', () => {
  it('lost, repeated, tore and leaked nothing, and every value was right', () => {
    const { lost, duplicated, torn, abortedRead, wrongValues, failures } = report
    expect(
      { lost, duplicated, torn, abortedRead, wrongValues, failures },
      ended.stderr.slice(-4_000),
    ).toEqual({
      ...{ lost: 0, duplicated: 0, torn: 0, abortedRead: 0, wrongValues: 0, failures: [] },
    })
  })

  it('was not void: processes were killed, zombies refused, stores damaged and restored', () => {
    expect(report.void, ended.stderr.slice(-4_000)).toEqual([])
    for (const fault of [
      ...(['kills', 'provenZombies', 'fencedCommits', 'abortedRecords'] as const),
      ...(['restores', 'corruptions', 'proxied', 'brokerRestarts'] as const),
    ])
      expect(report[fault], fault).toBeGreaterThan(0)
  })

  it('ended by itself with the exit code of a run that proves something', () => {
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code: 0, signal: null })
  })
})
