import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Invariant, invariants } from '../audit/findings.ts'
import { usage } from '../rig/options.ts'
import type { Bug } from './bug.ts'
import { bugs } from './bugs.ts'
import { type Ground, openGround } from './ground.ts'
import { type Played, playRun } from './run.ts'
import { type ScenarioName, scenarios } from './scenarios.ts'

type Counts = Readonly<Record<Invariant, number>>

/** What became of one bug. */
interface BugReport {
  readonly name: string
  readonly invariant: Invariant
  /** The auditor counted that invariant, in a run that otherwise went to its end. */
  readonly caught: boolean
  readonly counts: Counts
  readonly seconds: number
  readonly failures: readonly string[]
}

/** The same scenario and seed without a bug; every count must be zero. */
interface TwinReport {
  readonly scenario: ScenarioName
  readonly clean: boolean
  readonly counts: Counts
  readonly seconds: number
  readonly failures: readonly string[]
}

export interface PlantedReport {
  readonly seed: number
  readonly planted: number
  readonly caught: number
  /** Bugs whose twin was clean. */
  readonly clean: number
  readonly bugs: readonly BugReport[]
  readonly twins: readonly TwinReport[]
  readonly seconds: number
}

const misused = 64
const seed = 20_260_101
const none: Counts = { lost: 0, duplicated: 0, torn: 0, abortedRead: 0, wrongValues: 0 }

/** Plants one bug at a time. Exit code 0: each was caught by the count that it names, and every twin was clean. 1: not so. */
export async function runPlanted(args: readonly string[], say: (line: string) => void): Promise<number> {
  let asked: Asked
  try {
    asked = read(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`)
    return misused
  }
  const { chosen, isJson, isKept } = asked
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-planted-'))
  say(`seed ${seed}; ${chosen.length} bugs; the folder is ${folder}`)
  const report = await plantAll(chosen, folder, say)
  const isProved = report.caught === report.planted && report.clean === report.planted
  if (isProved && !isKept) rmSync(folder, { recursive: true, force: true })
  else say(`logs and ledgers stay in ${folder}`)
  process.stdout.write(`${JSON.stringify(report, null, isJson ? undefined : 2)}\n`)
  return isProved ? 0 : 1
}

interface Asked {
  readonly chosen: readonly Bug[]
  readonly isJson: boolean
  readonly isKept: boolean
}

/** @throws an error whose message is for the person who typed the arguments. */
function read(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      planted: { type: 'boolean' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  })
  const { only, json, keep } = values
  const chosen = bugs.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)))
  if (chosen.length === 0) throw new Error(`no bug is called ${only.join(' or ')}`)
  return { chosen, isJson: json, isKept: keep }
}

async function plantAll(
  chosen: readonly Bug[],
  folder: string,
  say: (line: string) => void,
): Promise<PlantedReport> {
  const startedMs = performance.now()
  const found: BugReport[] = []
  const twins: TwinReport[] = []
  for (const nodes of [1, 3] as const) {
    const here = chosen.filter(({ scenario }) => scenarios[scenario].nodes === nodes)
    if (here.length === 0) continue
    await using ground = await openGround(nodes, folder, say)
    for (const [scenario, of] of Map.groupBy(here, (bug) => bug.scenario)) {
      twins.push(await playTwin(ground, scenario, folder, say))
      for (const bug of of) found.push(await playBug(ground, bug, folder, say))
    }
  }
  const clean = new Set(twins.filter((twin) => twin.clean).map((twin) => twin.scenario))
  return {
    ...{ seed, planted: found.length, caught: found.filter(({ caught }) => caught).length },
    clean: chosen.filter(({ scenario }) => clean.has(scenario)).length,
    ...{ bugs: found, twins, seconds: secondsSince(startedMs) },
  }
}

async function playTwin(
  ground: Ground,
  name: ScenarioName,
  folder: string,
  say: (line: string) => void,
): Promise<TwinReport> {
  const scenario = scenarios[name]
  const startedMs = performance.now()
  const log = (line: string) => say(`  ${line}`)
  say(`${name}, nothing planted`)
  const played = await playRun({
    ...{ ground, seed, scenario, log, name: topologyName(name), folder: join(folder, name) },
    plants: scenario.points ?? [],
  })
  const counts = countsOf(played)
  const clean = isClean(played)
  tell(played, say)
  const seconds = secondsSince(startedMs)
  say(`${name}: ${clean ? 'clean' : 'NOT CLEAN'} ${JSON.stringify(counts)} in ${seconds} s`)
  return { scenario: name, clean, counts, seconds, failures: played.failures }
}

async function playBug(
  ground: Ground,
  bug: Bug,
  folder: string,
  say: (line: string) => void,
): Promise<BugReport> {
  const { name, invariant } = bug
  const scenario = scenarios[bug.scenario]
  const startedMs = performance.now()
  say(`${name}: ${bug.what}`)
  const played = await playRun({
    ...{ ground, seed, scenario, name: topologyName('bug'), folder: join(folder, name) },
    plants: [...pointsFor(bug), ...bug.plants],
    log: (line) => say(`  ${line}`),
  })
  const counts = countsOf(played)
  const caught = isCaught(played, invariant)
  tell(played, say, caught ? invariant : undefined)
  const seconds = secondsSince(startedMs)
  say(
    `${name}: ${caught ? 'caught' : 'NOT CAUGHT'} by ${invariant} ${JSON.stringify(counts)} in ${seconds} s`,
  )
  return { name, invariant, caught, counts, seconds, failures: played.failures }
}

/** The points of the scenario, but for those in text that the bug replaces: it brings them along. */
export function pointsFor({ scenario, plants }: Bug) {
  const { points = [] } = scenarios[scenario]
  return points.filter(
    (point) => !plants.some(({ file, find }) => file === point.file && find.includes(point.find)),
  )
}

/** The auditor counted what the bug names, in a run that nothing else kept from its end. */
export function isCaught(played: Played, by: Invariant): boolean {
  return played.failures.length === 0 && countsOf(played)[by] > 0
}

export function isClean({ audited, failures }: Played): boolean {
  return audited !== undefined && failures.length === 0 && invariants.every((each) => audited[each] === 0)
}

/** Everything that speaks against a twin; of a bug that was caught a few words on how. */
function tell({ audited, failures }: Played, say: (line: string) => void, by?: Invariant): void {
  const details = audited?.details ?? []
  const told = by === undefined ? details : details.filter((detail) => detail.startsWith(by)).slice(0, 2)
  for (const line of [...failures, ...told]) say(`  ${line}`)
}

function countsOf({ audited }: Played): Counts {
  if (audited === undefined) return none
  const { lost, duplicated, torn, abortedRead, wrongValues } = audited
  return { lost, duplicated, torn, abortedRead, wrongValues }
}

let names = 0

/** A name of its own for each run. */
function topologyName(what: string): string {
  names += 1
  return `${what.slice(0, 20)}-${names}-${Date.now().toString(36)}`
}

function secondsSince(startedMs: number): number {
  return Math.round((performance.now() - startedMs) / 1_000)
}
