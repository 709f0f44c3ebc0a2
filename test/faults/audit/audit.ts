import { type LoadedTopology, loadTopology } from '../../../topologies/load.ts'
import { planOf, stagesOf } from '../../../topologies/plan.ts'
import { createDecoder, type Schemas } from './avro.ts'
import { readCheckpoints } from './checkpoints.ts'
import type { AuditContext } from './context.ts'
import { dumpTopics } from './dump.ts'
import { assembleModel, entityModel } from './features.ts'
import { createFindings, type Invariant } from './findings.ts'
import { ingestModel, labelModel } from './ingest.ts'
import { type Ledger, readLedger } from './ledger.ts'
import { auditJoin, carryModel } from './outcomes.ts'
import { auditPanes } from './panes.ts'
import { openScorer, type Scorer, scoreModel } from './predictions.ts'
import { fetchSchemas } from './registry.ts'
import { auditReports } from './reports.ts'
import type { RecordSource } from './source.ts'
import { replayTask } from './task-replay.ts'
import { readOrigins } from './written.ts'

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
export interface AuditResult extends Readonly<Record<Invariant, number>> {
  /** Committed records of the topology's topics, the user's own among them. */
  readonly records: number
  /** Committed records of the user's topics. */
  readonly inputs: number
  /** Records of aborted transactions that lie in the topics and that no reader may see. */
  readonly abortedRecords: number
  /** The first twenty of each invariant, with coordinates and ids. */
  readonly details: readonly string[]
}

/** Reads all topics of a finished run with Apache Kafka's own consumer and checks every record in them. */
export async function audit(options: AuditOptions): Promise<AuditResult> {
  const { brokers, registry, folder, log } = options
  const loaded = await loadTopology(options.topologyPath)
  const topics = planOf(loaded.topology).topics.map(({ name }) => name)
  using dump = await dumpTopics(brokers, topics, folder, log)
  log(
    `${dump.records} committed records and ${dump.abortedRecords} aborted ones are in ${topics.length} topics`,
  )
  const schemas = await fetchSchemas(registry, dump.source, topics)
  const ledger = options.ledgerFile === undefined ? undefined : await readLedger(options.ledgerFile)
  const checked = await auditRecords({
    loaded,
    schemas,
    source: dump.source,
    log,
    ...(ledger && { ledger }),
    ...(options.atLeastOnceStages && { atLeastOnceStages: options.atLeastOnceStages }),
  })
  return { records: dump.records, ...checked, abortedRecords: dump.abortedRecords }
}

export interface RecordsAudit {
  readonly loaded: LoadedTopology
  readonly schemas: Schemas
  readonly source: RecordSource
  readonly ledger?: Ledger
  readonly atLeastOnceStages?: readonly string[]
  readonly log: (line: string) => void
}

/** The audit itself, of records wherever they are. */
export async function auditRecords(
  options: RecordsAudit,
): Promise<Omit<AuditResult, 'records' | 'abortedRecords'>> {
  const { loaded, source, ledger, log } = options
  const plan = planOf(loaded.topology)
  const decoder = createDecoder(options.schemas)
  const findings = createFindings()
  const lenient = new Set(options.atLeastOnceStages)
  const isAtLeastOnce = (writer: string) => lenient.has(writer.split('/')[0]!)
  const inputs = plan.topics.filter(({ kind }) => kind === 'source').map(({ name }) => name)
  ledger?.check(source, inputs, findings)
  const checkpoints = readCheckpoints(plan, source, decoder, findings)
  const origins = readOrigins({ plan, source, decoder, checkpoints, findings, isAtLeastOnce })
  const world = { plan, source, decoder, findings, ledger, checkpoints, isAtLeastOnce }
  const context: AuditContext = { ...loaded, ...world, ...origins, tainted: new Set() }
  await auditStages(context, await openScorer(context), log)
  const rows = await auditPanes(context)
  await auditReports(context, rows)
  const sizes = inputs.flatMap((topic) => source.partitions(topic).map(({ size }) => size))
  const count = sizes.reduce((total, size) => total + size, 0)
  return { inputs: count, ...findings.counts, details: findings.details }
}

/** Stage by stage in the order in which records flow, so that what follows from an aborted record is known as such. */
async function auditStages(
  context: AuditContext,
  scorer: Scorer,
  log: (line: string) => void,
): Promise<void> {
  for (const stage of stagesOf(context.plan)) {
    const startedMs = performance.now()
    for (const task of stage.tasks) {
      if (stage.name === 'ingest') await replayTask(context, stage, task, ingestModel(context, stage, task))
      else if (stage.entity !== null) await replayTask(context, stage, task, entityModel(context, stage))
      else if (stage.name === 'assemble')
        await replayTask(context, stage, task, assembleModel(context, stage, task))
      else if (stage.name === 'score')
        await replayTask(context, stage, task, scoreModel(context, stage, task, scorer))
      else if (stage.name === 'label')
        await replayTask(context, stage, task, labelModel(context, stage, task))
      else if (stage.name === 'carry') await replayTask(context, stage, task, carryModel(stage))
      else if (stage.name === 'join') await auditJoin(context, stage, task)
    }
    log(`${stage.name}: ${Math.round(performance.now() - startedMs)} ms`)
  }
}
