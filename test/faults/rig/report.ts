import { serviceNames } from '../../../topologies/topics.ts'
import type { AuditResult } from '../audit/audit.ts'
import { steps } from '../preload/protocol.ts'
import type { PhaseResult } from './phase.ts'
import { quantile } from './recovery.ts'
import { killsOf } from './tally.ts'

/** What a run prints with --json. */
export interface Report {
  readonly seed: number
  readonly commit: string
  /** The services, schemas or topologies were not those of the commit. */
  readonly modified: boolean
  /** Records in the user's topics. */
  readonly records: number
  readonly kills: number
  /** By `<service>/<step>`. */
  readonly killsByStep: Readonly<Record<string, number>>
  readonly zombies: number
  readonly fencedCommits: number
  readonly abortedRecords: number
  readonly restores: number
  readonly proxied: number
  readonly brokerRestarts: number
  readonly corruptions: number
  readonly lost: number
  readonly duplicated: number
  readonly torn: number
  readonly abortedRead: number
  readonly wrongValues: number
  readonly voidEpisodes: number
  readonly recoverySeconds: { readonly p50: number | null; readonly p99: number | null }
  readonly seconds: number
  /** Records in the user's topics per second of faults. */
  readonly rate: number
  /** All committed records that the auditor read. */
  readonly audited: number
  /** Zombies whose own log says that the commit in which they were stopped was refused. */
  readonly provenZombies: number
  readonly corruptionKinds: Readonly<Record<string, number>>
  /** Stores that services said to be damaged and rebuilt. */
  readonly damagedStores: number
  readonly registryOutages: number
  readonly scalings: number
  readonly atLeastOnceRuns: number
  /** Why the run proves nothing; empty when it does. */
  readonly void: readonly string[]
  /** Whatever is not as it must be, beside the zeros. */
  readonly failures: readonly string[]
}

export interface RunFacts {
  readonly seed: number
  readonly commit: string
  readonly isModified: boolean
  /** As asked for. */
  readonly seconds: number
  readonly isQuiet: boolean
}

export function reportOf(facts: RunFacts, phases: readonly PhaseResult[]): Report {
  const { seed, commit } = facts
  const total = (of: (phase: PhaseResult) => number) => phases.reduce((sum, phase) => sum + of(phase), 0)
  const counted = (name: CountName) => total(({ tally }) => tally[name])
  const found = (name: FoundName) => total(({ audited }) => audited?.[name] ?? 0)
  const seconds = total((phase) => phase.seconds)
  const recovered = phases.flatMap(({ recoverySeconds }) => recoverySeconds)
  const report = {
    ...{ seed, commit, modified: facts.isModified },
    ...{ records: found('inputs'), kills: total(({ tally }) => killsOf(tally)) },
    killsByStep: summed(phases.map(({ tally }) => tally.killsByStep)),
    ...{ zombies: counted('zombies'), fencedCommits: counted('fencedCommits') },
    ...{ abortedRecords: found('abortedRecords'), restores: counted('restores') },
    ...{ proxied: total(({ proxied }) => proxied), brokerRestarts: counted('brokerRestarts') },
    corruptions: counted('corruptions'),
    ...{ lost: found('lost'), duplicated: found('duplicated'), torn: found('torn') },
    ...{ abortedRead: found('abortedRead'), wrongValues: found('wrongValues') },
    voidEpisodes: total(({ tally }) => tally.voidEpisodes.length),
    recoverySeconds: { p50: quantile(recovered, 0.5), p99: quantile(recovered, 0.99) },
    seconds: Math.round(seconds),
    rate: Math.round(found('inputs') / Math.max(1, seconds)),
    audited: found('records'),
    provenZombies: counted('provenZombies'),
    corruptionKinds: summed(phases.map(({ corruptionKinds }) => corruptionKinds)),
    ...{ damagedStores: counted('damagedStores'), registryOutages: counted('registryOutages') },
    ...{ scalings: counted('scalings'), atLeastOnceRuns: counted('atLeastOnceRuns') },
    failures: phases.flatMap(({ failures }) => failures),
  }
  return { ...report, void: facts.isQuiet ? [] : reasonsForVoid(report, facts.seconds, phases.length) }
}

type CountName =
  | 'zombies'
  | 'provenZombies'
  | 'fencedCommits'
  | 'restores'
  | 'corruptions'
  | 'damagedStores'
  | 'brokerRestarts'
  | 'registryOutages'
  | 'scalings'
  | 'atLeastOnceRuns'

type FoundName = Exclude<keyof AuditResult, 'details'>

/** What must be nothing. */
export const zeros = ['lost', 'duplicated', 'torn', 'abortedRead', 'wrongValues'] as const

/** The demands of ten minutes; a shorter run has to show its share of them, and each fault at least once. */
const wholeRunSeconds = 600

function reasonsForVoid(report: Omit<Report, 'void'>, seconds: number, phases: number): string[] {
  const share = Math.min(1, seconds / wholeRunSeconds)
  const demands: [name: string, found: number, wanted: number][] = [
    ['aborted records', report.abortedRecords, 1],
    ['refused commits of zombies', report.fencedCommits, Math.max(1, Math.floor(10 * share))],
    ['zombies', report.provenZombies, Math.max(1, Math.floor(10 * share))],
    ['restores', report.restores, Math.max(1, Math.floor(10 * share))],
    ['kinds of corruption', Object.keys(report.corruptionKinds).length, Math.max(1, Math.floor(8 * share))],
    ['frames met by the proxy', report.proxied, 1],
    ['broker restarts', report.brokerRestarts, phases],
    ['kills', report.kills, 1],
  ]
  const perStep = Math.floor(5 * share)
  for (const service of serviceNames)
    for (const step of steps)
      demands.push([`kills at ${service}/${step}`, report.killsByStep[`${service}/${step}`] ?? 0, perStep])
  if (share === 1) {
    demands.push(['registry outages', report.registryOutages, 1], ['workers added', report.scalings, 1])
    demands.push(['runs at least once', report.atLeastOnceRuns, 1])
  }
  return demands
    .filter(([, found, wanted]) => found < wanted)
    .map(([name, found, wanted]) => `${found} ${name}, ${wanted} wanted`)
}

function summed(counts: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const [name, count] of counts.flatMap((each) => [...each]))
    sums.set(name, (sums.get(name) ?? 0) + count)
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)))
}
