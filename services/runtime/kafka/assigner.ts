import { Buffer } from 'node:buffer'
import kafkajsModule, { type Assigner } from 'kafkajs'
import type { TopicPartition } from './fetch.ts'
import type { Cluster } from './kafkajs-internals.ts'
import { assignSticky, type Claimant } from './sticky.ts'

const { AssignerProtocol } = kafkajsModule

/** What a member tells the group's leader at each join. */
export interface Claim {
  owned: TopicPartition[]
  generation: number
  userData: Buffer | undefined
}

const name = 'tidemark-sticky'

/** kafkajs's plug for the sticky assignment: members tell what they hold in the user data of their join. */
export function stickyAssigner(cluster: Cluster, claim: () => Claim): Assigner {
  return {
    name,
    version: 0,
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: 0,
        topics,
        userData: encodeClaim(claim()),
      }),
    }),
    async assign({ members }) {
      const claimants = members.map(({ memberId, memberMetadata }) => decodeClaim(memberId, memberMetadata))
      const topics = [...new Set(claimants.flatMap((claimant) => claimant.topics))].sort()
      await cluster.addMultipleTargetTopics(topics)
      const shares = assignSticky(
        claimants,
        topics.flatMap((topic) => partitionsOf(cluster, topic)),
      )
      return [...shares].map(([memberId, held]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: byTopic(held),
          userData: Buffer.alloc(0),
        }),
      }))
    },
  }
}

function encodeClaim({ owned, generation, userData }: Claim): Buffer {
  return Buffer.from(
    JSON.stringify({ owned: byTopic(owned), generation, userData: userData?.toString('base64') }),
  )
}

/** A member whose claim cannot be read holds nothing. */
function decodeClaim(memberId: string, metadata: Buffer): Claimant {
  const decoded = AssignerProtocol.MemberMetadata.decode(metadata)
  const nothing = { memberId, topics: decoded?.topics ?? [], owned: [], generation: -1 }
  try {
    const claim = JSON.parse(decoded?.userData.toString() ?? '') as {
      owned: Record<string, number[]>
      generation: number
    }
    const owned = Object.entries(claim.owned).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    )
    return { ...nothing, owned, generation: claim.generation }
  } catch {
    return nothing
  }
}

function partitionsOf(cluster: Cluster, topic: string): TopicPartition[] {
  const ids = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
  return ids.sort((a, b) => a - b).map((partition) => ({ topic, partition }))
}

function byTopic(partitions: TopicPartition[]): Record<string, number[]> {
  const grouped = Map.groupBy(partitions, ({ topic }) => topic)
  return Object.fromEntries([...grouped].map(([topic, of]) => [topic, of.map(({ partition }) => partition)]))
}
