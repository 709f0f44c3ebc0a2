/** The one table of errors: what a code means, whether trying again can help, and what the operator does. */

interface ErrorEntry {
  readonly message: string
  readonly retriable: boolean
  readonly action: string
}

export const errorTable = {
  TM_USAGE: {
    message: 'The command line was not understood',
    retriable: false,
    action: 'Run the command with --help and correct the arguments.',
  },
  TM_CONFIG: {
    message: 'A setting is missing or malformed',
    retriable: false,
    action: 'Correct the environment variable that the message names.',
  },
  TM_NO_BROKER: {
    message: 'No Kafka can be reached or started',
    retriable: false,
    action: 'Set KAFKA_BROKERS and SCHEMA_REGISTRY_URL, start a Docker engine, or install Java 17 and Maven.',
  },
  TM_BROKER_AWAY: {
    message: 'The Kafka broker does not answer',
    retriable: true,
    action: 'Check the broker and the network; the service goes on by itself when it is back.',
  },
  TM_REGISTRY_AWAY: {
    message: 'The schema registry does not answer',
    retriable: true,
    action: 'Check the registry; the service goes on by itself when it is back.',
  },
  TM_TOPOLOGY: {
    message: 'The topology is not valid',
    retriable: false,
    action: 'Correct the topology file as the message says.',
  },
  TM_NOT_APPLIED: {
    message: 'This topology has not been applied',
    retriable: false,
    action: 'Run `tidemark apply <topology>` and start the service again.',
  },
  TM_CHANGED: {
    message: 'Another definition of this topology is applied, and its topics hold records',
    retriable: false,
    action:
      'Give the changed topology a new name, or delete its topics (see the runbook, reset) and apply it again.',
  },
  TM_HASH_DIFFERS: {
    message: 'The applied topology is another one',
    retriable: false,
    action: 'Apply this version of the topology, or start the service with the applied one.',
  },
  TM_TOPICS: {
    message: 'A topic is missing, or does not fit the topology',
    retriable: false,
    action:
      'Run `tidemark plan <topology>`, then `tidemark apply`; partitions never change, so make the topology agree.',
  },
  TM_SCHEMA: {
    message: 'A schema is not compatible with what was written before',
    retriable: false,
    action: 'Give new fields a default, or use a new topic.',
  },
  TM_TOPICS_NOT_EMPTY: {
    message: 'The topics already hold records',
    retriable: false,
    action: 'Run with --reset to delete the topics of this topology first, or use another broker.',
  },
  TM_PARTITIONER: {
    message: "A source topic is partitioned by another hash than Kafka's own",
    retriable: true,
    action:
      'Set the producer to murmur2 (librdkafka: partitioner=murmur2_random). Nothing stops, but what shares a key may not share a partition: order and duplicates are only watched within one.',
  },
  TM_LETTER: {
    message: 'A dead letter cannot be found, read or replayed',
    retriable: false,
    action: 'Run `tidemark dead-letters list` and `show`; what cannot be replayed has to be produced again.',
  },
  TM_DRIVER: {
    message: 'The test driver cannot do this',
    retriable: false,
    action: 'Correct the test: the message names what the topology has.',
  },
  TM_MODEL: {
    message: 'The model cannot be served',
    retriable: false,
    action: 'Correct the model file or its manifest as the message says.',
  },
  TM_FEATURE_SET: {
    message: 'A feature vector belongs to another feature set than the model is bound to',
    retriable: false,
    action:
      'Apply a topology whose model is bound to this feature set, or start the matching features service.',
  },
  TM_INTERNAL_RECORD: {
    message: 'A record of an internal topic cannot be read',
    retriable: false,
    action:
      'Something else wrote to an internal topic, or it is damaged. Inspect the record at these coordinates.',
  },
  TM_UPSTREAM_RESET: {
    message: 'An upstream stage began again from an earlier position',
    retriable: false,
    action: 'The state of the upstream stage was lost. Reset the topology (see the runbook).',
  },
  TM_STORE: {
    message: 'The local store cannot be opened or written',
    retriable: false,
    action:
      'Check free space and permissions of the state folder; deleting the folder is safe, it is rebuilt.',
  },
  TM_STORE_DAMAGED: {
    message: 'The local store is damaged',
    retriable: true,
    action: 'Nothing: it is emptied and rebuilt from its changelog. If it happens again, check the disk.',
  },
  TM_CONTESTED: {
    message: 'Another process takes over a task again and again',
    retriable: true,
    action:
      'Look for a second deployment of this topology on this Kafka, and stop one; nothing is lost or doubled.',
  },
  TM_REFUSED: {
    message: 'Kafka refuses what a task must write',
    retriable: false,
    action:
      "The message has Kafka's reason. For MESSAGE_TOO_LARGE raise max.message.bytes of the topic; then start again: nothing is lost.",
  },
  TM_POSITION_LOST: {
    message: 'The input no longer holds the position where the task must go on',
    retriable: false,
    action: 'Retention has deleted unread records. Raise it, and reset the topology (see the runbook).',
  },
  TM_OPERATOR: {
    message: 'An operator failed on a record',
    retriable: false,
    action: 'This is a defect. The coordinates in the message lead to the record; the log has the stack.',
  },
  TM_BOOKS: {
    message: 'The books do not balance',
    retriable: false,
    action: 'The message names the equation that failed. Keep the topics and report a defect.',
  },
  TM_SERVICE_DIED: {
    message: 'A service process ended by itself',
    retriable: false,
    action: 'Its last log lines are above; correct what they name.',
  },
  TM_TIMEOUT: {
    message: 'Something did not finish in the time allowed',
    retriable: true,
    action: 'See which stage is behind in the progress lines, then its log.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorTable

export interface TidemarkError extends Error {
  readonly code: ErrorCode
}

/** An error of the table. `detail` says what and where in one line; it never holds values of records. */
export function tidemarkError(code: ErrorCode, detail?: string, cause?: unknown): TidemarkError {
  const text = detail === undefined ? errorTable[code].message : `${errorTable[code].message}: ${detail}`
  return Object.assign(new Error(text, cause === undefined ? undefined : { cause }), {
    code,
    name: 'TidemarkError',
  })
}

export function isTidemarkError(error: unknown): error is TidemarkError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    Object.hasOwn(errorTable, error.code)
  )
}

/** One line for a person: the code, what happened, what to do. */
export function describeError(error: unknown): string {
  if (isTidemarkError(error)) return `${error.code}: ${error.message}. ${errorTable[error.code].action}`
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
