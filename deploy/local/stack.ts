import type { KafkaNode } from './kafka-properties.ts'

/** A Kafka cluster and a schema registry that were brought up together. */
export interface Stack extends AsyncDisposable {
  readonly rung: 'given' | 'docker' | 'java'
  /** host:port[,host:port…], as KAFKA_BROKERS takes it. */
  readonly brokers: string
  /** Base URL of the Confluent API, without a slash at the end, as SCHEMA_REGISTRY_URL takes it. */
  readonly registry: string
  /** The Kafka nodes that belong to this stack: none when they were given. */
  readonly nodes: readonly StackNode[]
  /** Sends a signal to one node; resolves when it has ended, or at once for a signal that does not end it. */
  kill(id: number, signal?: NodeJS.Signals): Promise<void>
  /** Starts a killed node again on its ports and its data; resolves when it answers and knows itself to be alive. */
  restart(id: number): Promise<void>
  /** Ends everything that was started here and removes its data, unless a folder was given for it. */
  stop(): Promise<void>
}

export interface StackNode {
  readonly id: number
  /** Process id on this machine; null in a container or while the node is down. */
  readonly pid: number | null
}

export interface BringUpOptions {
  /** Kafka nodes, 1 unless told. Ignored when brokers are given. */
  readonly nodes?: 1 | 3
  /** Lines for a person about what takes long. */
  readonly onProgress?: (line: string) => void
  /**
   * A folder that keeps the data and the logs; without it a temporary one is used and removed at the end.
   * Only the Java rung keeps data: containers begin empty.
   */
  readonly folder?: string
  /** Kafka settings of a node beside or instead of ours. Only the Java rung takes them. */
  readonly settingsOf?: (node: KafkaNode) => Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** The options with everything said that has a default. */
export type TotalOptions = Required<Omit<BringUpOptions, 'folder' | 'settingsOf'>> &
  Pick<BringUpOptions, 'folder' | 'settingsOf'>

/** Signals after which the process is still there. */
export function isDeadly(signal: NodeJS.Signals): boolean {
  return !['SIGSTOP', 'SIGCONT', 'SIGTSTP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'].includes(signal)
}
