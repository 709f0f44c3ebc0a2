import { pino } from 'pino'

export type Log = ReturnType<typeof createLog>

/** Structured logs on standard error. Values of records never go into a log; coordinates do. */
export function createLog(service: string, instance: string, level = 'info') {
  return pino({ base: { service, instance }, level }, pino.destination({ dest: 2, sync: true }))
}
