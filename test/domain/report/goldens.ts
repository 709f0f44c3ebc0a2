import { readFileSync } from 'node:fs'

const folder = new URL('../../golden/report/goldens/', import.meta.url)

export interface Case<In, Out> {
  readonly in: In
  readonly out: Out
}

/** The cases of one family of a golden file. */
export const goldenCases = <T>(file: string, family: string): T[] => {
  const { cases } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
  return cases[family]
}

/** |a − b| relative to b, or absolute below `floor`. */
export const gapOf = (a: number, b: number, floor = 1e-3): number =>
  a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(b), floor)
