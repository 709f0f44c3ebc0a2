import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Plant } from '../preload/protocol.ts'

export type PhaseName = 'one' | 'three'

export interface Options {
  readonly seconds: number
  readonly seed: number
  readonly perSecond: number
  readonly isJson: boolean
  /** Which clusters the time is divided among: one broker, then three. */
  readonly phases: readonly PhaseName[]
  /** No faults at all: what a clean run gives. */
  readonly isQuiet: boolean
  /** The run's folder stays, whatever comes out. */
  readonly isKept: boolean
  /** Bugs to be planted in the services: a run with these must fail. */
  readonly plants: readonly Plant[]
}

export const usage = `node test/faults/main.ts [--seconds S] [--seed N] [--json] [--short] [--records-per-second R]
  [--phase one|three|both] [--quiet] [--keep] [--plant FILE]
node test/faults/main.ts --planted [--only NAME]… [--json] [--keep]`

/** The share of a whole run that one broker gets; three brokers get the rest. */
export const shareOfOne = 0.7

/** A short run is the same each time as far as its seed goes, and leaves three brokers to the long ones. */
const short = { seconds: 50, seed: 20_260_101, perSecond: 250, phases: ['one'] } as const

/** @throws an error whose message is for the person who typed the arguments. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      'records-per-second': { type: 'string' },
      phase: { type: 'string' },
      quiet: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      plant: { type: 'string' },
    },
  })
  return {
    seconds: whole('--seconds', values.seconds, values.short ? short.seconds : 60),
    seed: whole('--seed', values.seed, values.short ? short.seed : randomInt(2 ** 31)),
    perSecond: whole(
      '--records-per-second',
      values['records-per-second'],
      values.short ? short.perSecond : 400,
    ),
    isJson: values.json,
    phases: phasesOf(values.phase, values.short),
    isQuiet: values.quiet,
    isKept: values.keep,
    plants: values.plant === undefined ? [] : readPlants(values.plant),
  }
}

/** A JSON list of `{file, find, replace}`. */
function readPlants(file: string): readonly Plant[] {
  return JSON.parse(readFileSync(file, 'utf8')) as Plant[]
}

function phasesOf(text: string | undefined, isShort: boolean): readonly PhaseName[] {
  if (text === 'one' || text === 'three') return [text]
  if (text !== undefined && text !== 'both') throw new Error(`--phase takes one, three or both, not ${text}`)
  return text === undefined && isShort ? short.phases : ['one', 'three']
}

function whole(name: string, text: string | undefined, standard: number): number {
  if (text === undefined) return standard
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} takes a whole number, not ${text}`)
  return value
}
