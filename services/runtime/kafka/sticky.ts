import type { TopicPartition } from './fetch.ts'

/** A member of the group as the leader of the group sees it when it assigns. */
export interface Claimant {
  memberId: string
  topics: readonly string[]
  /** What the member says that it holds. */
  owned: readonly TopicPartition[]
  /** The generation in which it held that; of two members that claim a partition the later one holds it. */
  generation: number
}

/**
 * Shares the partitions of all topics together: counts per member differ by at most one when all subscribe to the
 * same topics, every partition that can stay stays, and the partitions of each topic are spread where the counts
 * allow it. A partition that no member subscribes to goes to nobody. Deterministic.
 */
export function assignSticky(
  members: readonly Claimant[],
  partitions: readonly TopicPartition[],
): Map<string, TopicPartition[]> {
  const sorted = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const shares = sorted.map((member): Share => ({ member, held: [] }))
  const owners = ownersOf(shares)
  const free: TopicPartition[] = []
  for (const partition of partitions) {
    const owner = owners.get(keyOf(partition))
    if (owner === undefined) free.push(partition)
    else owner.held.push(partition)
  }
  for (const partition of free) {
    const able = shares.filter(({ member }) => member.topics.includes(partition.topic))
    able.sort(
      (a, b) => a.held.length - b.held.length || heldOf(a, partition.topic) - heldOf(b, partition.topic),
    )
    able[0]?.held.push(partition)
  }
  while (moveOne(shares)) {
    // Each move lowers the difference between two members, so this ends.
  }
  return new Map(shares.map(({ member, held }) => [member.memberId, held]))
}

interface Share {
  member: Claimant
  held: TopicPartition[]
}

function ownersOf(shares: Share[]): Map<string, Share> {
  const owners = new Map<string, Share>()
  for (const share of shares) {
    for (const partition of share.member.owned) {
      if (!share.member.topics.includes(partition.topic)) continue
      const rival = owners.get(keyOf(partition))
      if (rival === undefined || rival.member.generation < share.member.generation)
        owners.set(keyOf(partition), share)
    }
  }
  return owners
}

/** Moves one partition from a member to one that has at least two fewer; false when there is no such pair. */
function moveOne(shares: Share[]): boolean {
  const falling = [...shares].sort((a, b) => b.held.length - a.held.length)
  for (const from of falling) {
    for (const to of falling.toReversed()) {
      if (from.held.length - to.held.length < 2) break
      const movable = from.held.filter(({ topic }) => to.member.topics.includes(topic))
      const surplus = ({ topic }: TopicPartition) => heldOf(from, topic) - heldOf(to, topic)
      movable.sort((a, b) => surplus(b) - surplus(a))
      const moved = movable[0]
      if (moved === undefined) continue
      from.held.splice(from.held.indexOf(moved), 1)
      to.held.push(moved)
      return true
    }
  }
  return false
}

function heldOf(share: Share, topic: string): number {
  return share.held.filter((partition) => partition.topic === topic).length
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
