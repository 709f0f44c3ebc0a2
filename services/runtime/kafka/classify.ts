import { KafkaFenced, KafkaRefused, KafkaUnavailable, KafkaUnknown, type WriterPhase } from './failures.ts'
import { errorName } from './protocol.ts'

const fenced = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])

const refused = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_VERSION',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'INVALID_TRANSACTION_TIMEOUT',
  'KafkaJSSASLAuthenticationError',
  'PLAINTEXT_REFUSED',
  'WRITER_BROKEN',
])

/** Kafka's name of an error, found along the chain of causes; else the name or code of the innermost error. */
export function reasonOf(error: unknown): string {
  let reason: string | number = 'UNKNOWN'
  for (let at = error as ErrorLike | undefined; at != null; at = at.cause as ErrorLike | undefined) {
    if (typeof at.reason === 'string') return at.reason
    // Its own cause, when it has one, says less.
    if (at.name === 'KafkaJSSASLAuthenticationError') return at.name
    // kafkajs does not know the newer numbers.
    if (at.type === 'KAFKAJS_UNKNOWN_ERROR_CODE' && typeof at.code === 'number') return errorName(at.code)
    if (typeof at.type === 'string' && at.type !== '') return at.type
    reason = at.code ?? at.name ?? reason
  }
  return String(reason)
}

/** Whether Kafka would refuse the same request again. */
export function isRefused(error: unknown): boolean {
  return refused.has(reasonOf(error))
}

/** Whether the same request may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  const reason = reasonOf(error)
  return reason !== 'CLOSED' && !fenced.has(reason) && !refused.has(reason) && !(error instanceof TypeError)
}

/**
 * The failure that a caller sees. In phase 'open' nothing was written, so what is neither fenced nor refused is
 * unavailable; in the other phases the outcome counts as unknown.
 */
export function failureOf(error: unknown, message: string, phase: WriterPhase): Error {
  if (error instanceof KafkaFenced || error instanceof KafkaRefused || error instanceof KafkaUnknown)
    return error
  const reason = reasonOf(error)
  const options = { reason, phase, cause: error }
  if (fenced.has(reason)) return new KafkaFenced(message, options)
  if (refused.has(reason)) return new KafkaRefused(withDetail(message, error), options)
  return phase === 'open' ? new KafkaUnavailable(message, options) : new KafkaUnknown(message, options)
}

/** Kafka's own words may name the partition. They come from the broker's table of errors, never from a record. */
function withDetail(message: string, error: unknown): string {
  return error instanceof Error ? `${message}: ${error.message}` : message
}

interface ErrorLike {
  reason?: unknown
  type?: unknown
  code?: string | number
  name?: string
  cause?: unknown
}
