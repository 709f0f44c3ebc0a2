/** Everything that the audit of one run needs. */
export interface AuditOptions {
  /** Bootstrap addresses, separated by commas. */
  readonly brokers: string
  /** Base address of the schema registry. */
  readonly registry: string
  /** A topology's file or folder. */
  readonly topologyPath: string
  /** JSONL, a line per input written before it was produced; without it nothing is known of inputs that never came. */
  readonly ledgerFile?: string
  /** Where the dump of the topics is kept while it is read. */
  readonly folder: string
  readonly log: (line: string) => void
  /** Names of stages (`score`) that ran at least once: they may repeat a record, if all but its runtime part is equal. */
  readonly atLeastOnceStages?: readonly string[]
}

/** What an independent reader of the topics found. */
export interface AuditResult {
  /** Committed records of the topology's topics, the user's own among them. */
  readonly records: number
  /** Committed records of the user's topics. */
  readonly inputs: number
  readonly lost: number
  readonly duplicated: number
  readonly torn: number
  readonly abortedRead: number
  readonly wrongValues: number
  /** Records of aborted transactions that lie in the topics and that no reader may see. */
  readonly abortedRecords: number
  /** The first twenty of each invariant, with coordinates and ids. */
  readonly details: readonly string[]
}

/** Reads all topics of a finished run with Apache Kafka's own consumer and checks every record in them. */
export async function audit(options: AuditOptions): Promise<AuditResult> {
  throw new Error(`the audit of ${options.topologyPath} is being written`)
}
