import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TopicPartition } from '../../../services/runtime/kafka/fetch.ts'
import { assignSticky, type Claimant } from '../../../services/runtime/kafka/sticky.ts'

const of = (topic: string, count: number): TopicPartition[] =>
  Array.from({ length: count }, (_, partition) => ({ topic, partition }))
const member = (
  memberId: string,
  owned: TopicPartition[] = [],
  generation = 0,
  topics = ['a', 'b'],
): Claimant => ({
  memberId,
  topics,
  owned,
  generation,
})
const keys = (partitions: Iterable<TopicPartition>) =>
  [...partitions].map(({ topic, partition }) => `${topic}/${partition}`).sort()

describe('the sticky assignment', () => {
  it('spreads each topic as well as the whole', () => {
    const shares = assignSticky([member('x'), member('y')], [...of('a', 4), ...of('b', 4)])
    for (const held of shares.values()) {
      expect(held.filter(({ topic }) => topic === 'a').length).toBe(2)
      expect(held.filter(({ topic }) => topic === 'b').length).toBe(2)
    }
  })

  it('moves no more than it must when a member comes', () => {
    const before = assignSticky([member('x'), member('y')], of('a', 8))
    const after = assignSticky(
      [member('x', before.get('x')), member('y', before.get('y')), member('new')],
      of('a', 8),
    )
    const stayed = ['x', 'y'].flatMap((id) =>
      keys(after.get(id)!).filter((key) => keys(before.get(id)!).includes(key)),
    )
    expect(stayed.length).toBe(6)
    expect(after.get('new')!.length).toBe(2)
  })

  it('leaves everybody else alone when a member goes', () => {
    const before = assignSticky([member('x'), member('y'), member('z')], of('a', 9))
    const after = assignSticky([member('x', before.get('x')), member('z', before.get('z'))], of('a', 9))
    for (const id of ['x', 'z'])
      expect(keys(after.get(id)!)).toEqual(expect.arrayContaining(keys(before.get(id)!)))
  })

  it('believes the later of two members that claim a partition', () => {
    const zombie = member('a-zombie', of('a', 2), 3)
    const owner = member('owner', of('a', 2), 7)
    const shares = assignSticky([zombie, owner], of('a', 2))
    expect(shares.get('owner')!.length).toBe(1)
    const alone = assignSticky(
      [member('a-zombie', of('a', 1), 3), member('owner', of('a', 1), 7)],
      of('a', 1),
    )
    expect(keys(alone.get('owner')!)).toEqual(['a/0'])
  })

  it('gives a topic only to members that subscribe to it', () => {
    const shares = assignSticky(
      [member('old', [], 0, ['a']), member('new', [], 0, ['a', 'b'])],
      [...of('a', 2), ...of('b', 3)],
    )
    expect(shares.get('old')!.every(({ topic }) => topic === 'a')).toBe(true)
    expect([...shares.values()].flat().length).toBe(5)
  })

  it('is complete, balanced within one, and stable, from any state of the group', () => {
    const groups = fc.record({
      partitions: fc.tuple(fc.nat(12), fc.nat(12)).map(([a, b]) => [...of('a', a), ...of('b', b)]),
      claims: fc.array(
        fc.array(fc.record({ topic: fc.constantFrom('a', 'b', 'gone'), partition: fc.nat(14) })),
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
    })
    fc.assert(
      fc.property(groups, ({ partitions, claims }) => {
        const members = claims.map((owned, index) => member(`m${index}`, owned, index))
        const shares = assignSticky(members, partitions)
        expect(keys([...shares.values()].flat())).toEqual(keys(partitions))
        const counts = [...shares.values()].map((held) => held.length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        const again = assignSticky(
          members.map((one) => ({ ...one, owned: shares.get(one.memberId)! })),
          partitions,
        )
        for (const [id, held] of shares) expect(keys(again.get(id)!)).toEqual(keys(held))
      }),
    )
  })
})
