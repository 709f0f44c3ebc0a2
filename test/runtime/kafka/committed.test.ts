import { describe, expect, it } from 'vitest'
import { type BatchFacts, committedOnly } from '../../../services/runtime/kafka/committed.ts'

const data = (producerId: number, lastOffset: number): BatchFacts => ({
  producerId,
  lastOffset,
  transactional: true,
  control: 'none',
})
const end = (producerId: number, lastOffset: number, control: 'abort' | 'commit'): BatchFacts => ({
  producerId,
  lastOffset,
  transactional: true,
  control,
})

/** The offsets of the batches that the filter lets through. */
function admitted(aborted: [number, number][], batches: BatchFacts[]): number[] {
  const isCommitted = committedOnly(aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset })))
  return batches.filter(isCommitted).map(({ lastOffset }) => lastOffset)
}

describe('the read_committed filter', () => {
  it('hides an aborted transaction and shows what the same producer commits after it', () => {
    const batches = [data(7, 0), end(7, 1, 'abort'), data(7, 2), end(7, 3, 'commit')]
    expect(admitted([[7, 0]], batches)).toEqual([2])
  })

  it('hides interleaved aborted transactions that the broker lists in the order of their ends', () => {
    // B began second and ended first, so the broker lists it first.
    const batches = [
      data(1, 0),
      data(2, 1),
      data(1, 2),
      end(2, 3, 'abort'),
      data(1, 4),
      end(1, 5, 'abort'),
      data(3, 6),
    ]
    expect(
      admitted(
        [
          [2, 1],
          [1, 0],
        ],
        batches,
      ),
    ).toEqual([6])
  })

  it('takes in several transactions that began before the first batch of the answer', () => {
    const batches = [data(2, 12), data(1, 13), end(1, 14, 'abort'), data(2, 15), end(2, 16, 'abort')]
    expect(
      admitted(
        [
          [1, 10],
          [2, 11],
        ],
        batches,
      ),
    ).toEqual([])
  })

  it('follows one producer through abort, commit and abort', () => {
    const batches = [
      data(5, 0),
      end(5, 1, 'abort'),
      data(5, 2),
      end(5, 3, 'commit'),
      data(5, 4),
      end(5, 5, 'abort'),
    ]
    expect(
      admitted(
        [
          [5, 0],
          [5, 4],
        ],
        batches,
      ),
    ).toEqual([2])
  })

  it('lets plain records of any producer through', () => {
    const plain: BatchFacts = { producerId: -1, lastOffset: 3, transactional: false, control: 'none' }
    expect(admitted([[1, 0]], [data(1, 0), plain])).toEqual([3])
  })

  it('never hands over a control record, of whatever type', () => {
    const other: BatchFacts = { producerId: 1, lastOffset: 4, transactional: true, control: 'other' }
    expect(admitted([], [end(1, 3, 'commit'), other])).toEqual([])
  })
})
