/** The named steps of a commit, and of what comes before it, in the order in which a task reaches them. */
export const steps = [
  'after-fence',
  'in-restore',
  'before-add-partitions',
  'after-add-partitions',
  'after-produce',
  'at-end-txn',
  'after-end-txn',
  'after-store',
] as const

export type Step = (typeof steps)[number]

/** Points beside the steps, which planted source text names. */
export type Point = Step | 'between-writes'

/** At the nth time that the step is reached, in the given stage or in any, the process kills or stops itself. */
export interface Arm {
  readonly token: number
  readonly step: Point
  /** For example `ingest-v1`; null for any. */
  readonly stage: string | null
  readonly nth: number
  readonly action: 'kill' | 'stop'
}

export type Order =
  | { readonly faults: 'arm'; readonly arm: Arm }
  | { readonly faults: 'disarm'; readonly token: number }

/** Commits since the last report: when each transactional id committed first and last, and how often. */
export interface CommitReport {
  readonly faults: 'commits'
  readonly commits: readonly Commits[]
}

export interface Commits {
  readonly id: string
  readonly firstMs: number
  readonly lastMs: number
  readonly count: number
}

/** A line of the file of hits, written right before the signal. */
export interface Hit {
  readonly token: number
  readonly step: Point
  readonly transactionalId: string
  readonly pid: number
  readonly atMs: number
}

/** Source text to be replaced while a service loads: a planted bug. `file` is how the module's URL ends. */
export interface Plant {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Variables by which a preload is told what holds from the first moment on. */
export const variables = {
  hits: 'FAULTS_HITS',
  arm: 'FAULTS_ARM',
  plants: 'FAULTS_PLANTS',
} as const
