import type { TopicPartition } from './fetch.ts'

export interface NewTopic {
  topic: string
  partitions: number
  /** Default: the broker's. */
  replicas?: number
  configs?: Record<string, string>
}

export interface TopicDescription {
  partitions: number
  replicas: number
  /** All configs in force, defaults of the broker included. */
  configs: Record<string, string>
}

export interface Admin {
  /** Creates what does not exist yet and waits for leaders. Returns the names of those created. */
  createTopics(topics: NewTopic[]): Promise<string[]>
  /** Topics that do not exist are left out. */
  describeTopics(topics: string[]): Promise<Map<string, TopicDescription>>
  listTopics(): Promise<string[]>
  /** Sets the given configs and keeps the others that were set on the topic. */
  alterConfigs(topic: string, configs: Record<string, string>): Promise<void>
  deleteTopics(topics: string[]): Promise<void>
  /** Removes records below the offset. */
  deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<void>
  /** Keys are "topic/partition"; isolation as in Fetcher. */
  endOffsets(
    partitions: TopicPartition[],
    isolation: 'committed' | 'uncommitted',
  ): Promise<Map<string, number>>
  startOffsets(partitions: TopicPartition[]): Promise<Map<string, number>>
  /** The members of a group by member id, with the number of partitions that each holds; empty when unknown. */
  groupMembers(groupId: string): Promise<Map<string, number>>
  close(): Promise<void>
}
