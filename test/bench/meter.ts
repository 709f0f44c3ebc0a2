/** What a process did between two moments. */
export interface Metered {
  readonly records: number
  /** Processor time of the process, all threads, user and system. */
  readonly cpuMicros: number
  readonly wallMs: number
}

export interface Meters {
  /** From the first record to the last. */
  readonly whole: Metered
  /** The second half of the records: the code is compiled by then. */
  readonly warm: Metered
  /** Processor time before the first record. */
  readonly startMicros: number
}

interface Mark {
  readonly records: number
  readonly cpuMicros: number
  readonly atMs: number
}

/** Measures the processor time of this process while `total` records pass through it. */
export function createMeter(total: number) {
  let records = 0
  let first: Mark | undefined
  let half: Mark | undefined

  return {
    /** Records have come and nothing has been done with them yet. */
    come(count: number): void {
      first ??= markAt(0)
      if (records >= total / 2) half ??= markAt(records)
      records += count
    },
    /** Everything has been done. */
    end(): Meters {
      const last = markAt(total)
      if (first === undefined) throw new Error('no records came')
      // Everything came at once when there were few: then there is no second half.
      return { whole: between(first, last), warm: between(half ?? first, last), startMicros: first.cpuMicros }
    },
  }
}

function markAt(records: number): Mark {
  const { user, system } = process.cpuUsage()
  return { records, cpuMicros: user + system, atMs: performance.now() }
}

function between(from: Mark, to: Mark): Metered {
  return {
    records: to.records - from.records,
    cpuMicros: to.cpuMicros - from.cpuMicros,
    wallMs: to.atMs - from.atMs,
  }
}
