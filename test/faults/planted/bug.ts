import type { Invariant } from '../audit/findings.ts'
import type { Plant } from '../preload/protocol.ts'
import type { ScenarioName } from './scenarios.ts'

/** A mistake that somebody could make, as source text of services to replace while they load. */
export interface Bug {
  readonly name: string
  /** In words, for whoever reads the list. */
  readonly what: string
  /** Which of the auditor's counts it must raise: a crash, an exit or a timeout does not count. */
  readonly invariant: Invariant
  /** The faults that make it bite. */
  readonly scenario: ScenarioName
  readonly plants: readonly Plant[]
}

const points = new URL('../preload/points.ts', import.meta.url).href

/** Source text of an asynchronous function of a service: here a process may be told to kill itself. */
export function pointAt(step: string, transactionalId: string): string {
  return `;(await import(${JSON.stringify(points)})).reach(${JSON.stringify(step)}, ${transactionalId})`
}
