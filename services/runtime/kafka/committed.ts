/** One entry of the list that the broker sends with a read_committed fetch. */
export interface AbortedTransaction {
  producerId: number
  firstOffset: number
}

/** What the filter has to know of a record batch. */
export interface BatchFacts {
  producerId: number
  lastOffset: number
  transactional: boolean
  /** What the batch's control record says; 'none' for a batch of data, whatever its keys look like. */
  control: 'none' | 'abort' | 'commit' | 'other'
}

/**
 * The read_committed filter: a function to be called with each batch of one partition's answer, in order, that
 * says whether its records are committed data. The broker lists aborted transactions in the order in which they
 * ended, and several may begin before one batch ends: they are sorted by where they began and taken in together.
 * Source: CompletedFetch of Kafka's Java consumer.
 */
export function committedOnly(aborted: readonly AbortedTransaction[]): (batch: BatchFacts) => boolean {
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const abortedNow = new Set<number>()
  let next = 0
  return (batch) => {
    while (next < waiting.length && waiting[next]!.firstOffset <= batch.lastOffset) {
      abortedNow.add(waiting[next]!.producerId)
      next += 1
    }
    if (batch.control === 'abort') abortedNow.delete(batch.producerId)
    if (batch.control !== 'none') return false
    return !(batch.transactional && abortedNow.has(batch.producerId))
  }
}
