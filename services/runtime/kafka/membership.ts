import type { Buffer } from 'node:buffer'
import type { Position, TopicPartition } from './fetch.ts'

export interface MemberOptions {
  groupId: string
  topics: string[]
  sessionTimeoutMs: number
  heartbeatMs: number
  rebalanceTimeoutMs: number
  /** Travels with every join. */
  userData?: Buffer
  /** The whole assignment, after each join; it may repeat. Called synchronously, before anything else happens. */
  onAssigned(partitions: TopicPartition[], memberId: string): void
  /** The coordinator accepted a heartbeat: proof of membership. */
  onHeartbeat?(): void
  /** Membership was lost; a new attempt follows by itself. */
  onCrash(error: Error): void
  /** The member id of a dead predecessor: it leaves the group first, so that nobody waits for its session. */
  previousMemberId?: string
}

export interface Member {
  /** Joins the group; resolves when the consumer runs, which may be before the first assignment. */
  start(): Promise<void>
  /** For lag tools only: never the authority on a position. Failures are swallowed. */
  commitOffsets(offsets: Position[]): Promise<void>
  /** Leaves the group. */
  stop(): Promise<void>
}
