import { relative } from 'node:path'

/** How many tests passed and failed, and what is to be said about those that Vitest does not show as failures. */
export interface Count {
  readonly passed: number
  readonly failed: number
  readonly remarks: readonly string[]
}

/** What is read of the file that Vitest's JSON reporter writes. */
interface Report {
  readonly testResults: readonly FileResult[]
}

interface FileResult {
  readonly name: string
  readonly status: string
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
}

export interface Expected {
  readonly root: string
  readonly exitCode: number
  /** Nothing was left out by name or by project: then a skipped test has failed, and broker tests must have run. */
  readonly everything: boolean
}

/** Whether options of Vitest leave all tests in; any that is not known might leave some out. */
export function runsEverything(options: readonly string[]): boolean {
  return options.every((option) => /^--(no-color|bail(=.*)?|reporter(=.*)?)$/.test(option))
}

/**
 * Counts a report. A skipped test of the whole run has failed, and so has a file that could not be read, a run that
 * wrote no report, and one that ended with an error which belongs to no test.
 */
export function countOf(report: unknown, { root, exitCode, everything }: Expected): Count {
  if (!isReport(report)) return { passed: 0, failed: 1, remarks: ['Vitest wrote no report'] }
  const tests = report.testResults.flatMap((file) =>
    file.assertionResults.map((test) => ({ ...test, file: relative(root, file.name) })),
  )
  const passed = tests.filter(({ status }) => status === 'passed')
  const skipped = everything ? tests.filter(({ status }) => isSkipped(status)) : []
  const failed = tests.filter(({ status }) => status !== 'passed' && !isSkipped(status))
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  )
  const remarks = [
    ...skipped.map(({ file, fullName }) => `skipped, so failed: ${file}: ${fullName}`),
    ...broken.map(({ name }) => `failed outside its tests: ${relative(root, name)}`),
  ]
  let failures = failed.length + skipped.length + broken.length
  if (everything && !passed.some(({ file }) => /^test[\\/]broker[\\/]/.test(file))) {
    remarks.push('no broker test ran')
    failures += 1
  }
  if (exitCode !== 0 && failures === 0) {
    remarks.push(`Vitest ended with ${exitCode}`)
    failures += 1
  }
  return { passed: passed.length, failed: failures, remarks }
}

export function sumOf(counts: readonly Count[]): Count {
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
    remarks: counts.flatMap(({ remarks }) => remarks),
  }
}

function isSkipped(status: string): boolean {
  return status === 'skipped' || status === 'pending' || status === 'todo' || status === 'disabled'
}

function isReport(report: unknown): report is Report {
  return typeof report === 'object' && report !== null && 'testResults' in report
}
