/**
 * What can go wrong behind the door, in the four ways in which a caller has to act differently.
 * Messages name topics, ids and Kafka's own error names; they never hold record values or secrets.
 */

export type WriterPhase = 'open' | 'add-partitions' | 'produce' | 'end'

export interface FailureOptions {
  /** Kafka's or kafkajs's name of the error: INVALID_PRODUCER_EPOCH, KafkaJSRequestTimeoutError, … */
  reason: string
  phase?: WriterPhase
  cause?: unknown
}

export abstract class KafkaFailure extends Error {
  readonly reason: string
  readonly phase: WriterPhase | undefined

  constructor(message: string, options: FailureOptions) {
    super(`${message} (${options.reason})`, { cause: options.cause })
    this.name = new.target.name
    this.reason = options.reason
    this.phase = options.phase
  }
}

/** Another writer took this transactional id (or the coordinator aborted a transaction that took too long). */
export class KafkaFenced extends KafkaFailure {}

/** Whether the transaction is committed is not known; only the log can tell. In a phase before 'end' it is not. */
export class KafkaUnknown extends KafkaFailure {}

/** Kafka refuses this request and would refuse it again: a record too large, no permission. */
export class KafkaRefused extends KafkaFailure {}

/** No broker could answer in time. Trying again later is right. */
export class KafkaUnavailable extends KafkaFailure {}
