/** What can be wrong with the topics of a run; each is a field of the suite's result. */
export const invariants = ['lost', 'duplicated', 'torn', 'abortedRead', 'wrongValues'] as const

export type Invariant = (typeof invariants)[number]

/** Counts what is wrong, and keeps the first few of each invariant in words. */
export interface Findings {
  /** @param what coordinates and ids, for a person; only called for those that are kept */
  add(invariant: Invariant, what: () => string, times?: number): void
  readonly counts: Readonly<Record<Invariant, number>>
  readonly details: readonly string[]
}

/** Details kept per invariant: one bug makes thousands, and twenty of them show which it was. */
const keptDetails = 20

export function createFindings(): Findings {
  const counts = { lost: 0, duplicated: 0, torn: 0, abortedRead: 0, wrongValues: 0 }
  const kept = new Map<Invariant, string[]>(invariants.map((invariant) => [invariant, []]))
  return {
    counts,
    get details() {
      return invariants.flatMap((invariant) => kept.get(invariant)!.map((what) => `${invariant}: ${what}`))
    },
    add(invariant, what, times = 1) {
      counts[invariant] += times
      const details = kept.get(invariant)!
      if (details.length < keptDetails) details.push(what())
    },
  }
}
