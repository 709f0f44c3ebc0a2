import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * When a process started, as the system writes it down, or '' when there is none. Together with the id it names a
 * process for ever: ids alone are given out again.
 */
export function processStart(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    // After the name come state (index 0) and, at index 19, the start in ticks since boot. A zombie is dead to us.
    return fields[0] === 'Z' ? '' : (fields[19] ?? '')
  } catch {
    return process.platform === 'linux' ? '' : startAccordingToPs(pid)
  }
}

export function isSameProcess(pid: number, start: string): boolean {
  return start !== '' && Number.isInteger(pid) && processStart(pid) === start
}

function startAccordingToPs(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return ''
  }
}
