import { readFileSync } from 'node:fs'

/** The last lines of a log, indented, for an error message; a note when there are none. */
export function lastLines(file: string, count = 15): string {
  const lines = read(file).trimEnd().split('\n').slice(-count)
  return lines.join('').trim() === '' ? '  (its log is empty)' : lines.map((line) => `  ${line}`).join('\n')
}

export function countMatches(file: string, pattern: RegExp): number {
  return read(file).match(pattern)?.length ?? 0
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
