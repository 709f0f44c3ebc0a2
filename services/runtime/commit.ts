import { type Changelog, checkpointKey, filledKey } from './changelog.ts'
import { type ControlEntry, controlKey } from './control.ts'
import { partitionOf } from './kafka/partition.ts'
import type { OutBatch, OutRecord, Produced, Writer } from './kafka/writer.ts'
import type { Stage, StageOutput, TaskSpec } from './stage.ts'
import type { Change, Store } from './store/store.ts'
import type { Frozen, Turns } from './turns.ts'
import { checkpointOf, encodeOutgoing, type RuntimePart, type Wire } from './wire.ts'

/** What a commit needs of its task. */
export interface CommitContext {
  readonly stage: Stage
  readonly task: TaskSpec
  readonly topologyHash: string
  readonly controlTopic: string
  readonly wire: Wire
  readonly changelog: Changelog
  readonly writer: Writer
  readonly store: Store
  /** Marks for journals, and what the task says in the control topic, if anything. */
  readonly marks: readonly Mark[]
  readonly control: ControlEntry | undefined
  readonly runtime: RuntimePart
}

export interface Mark {
  readonly topic: string
  readonly partition: number
  readonly schema: string
  readonly value: Record<string, unknown>
}

/**
 * Commits everything since the last commit, whole or not at all:
 * 1. freeze what the turns have done;
 * 2. put outputs, marks, changelog entries and one checkpoint into one transaction;
 * 3. commit it;
 * 4. only then write one batch to the local store: the same bytes, the same checkpoint, the changelog offset reached.
 * The store is never ahead of Kafka and at most one commit behind. Group offsets, which only lag tools read,
 * are written elsewhere and now and then. Any error leaves the writer broken: the caller drops the task's
 * memory, fences with a new writer and lets the changelog say what happened.
 * Under the guarantee "at least once" 2 and 3 are: the outputs, and when they are there, the changelog in one batch,
 * unless that is too large for one.
 */
export async function commit(turns: Turns<unknown>, context: CommitContext): Promise<void> {
  const { stage, task, changelog, store, writer } = context
  const frozen = turns.freeze()
  const checkpoint = checkpointOf(turns.progress, context.topologyHash)
  const changes = encodeChanges(frozen)
  const batches = outputBatches(context, frozen)
  if (context.control) batches.push(controlBatch(context, context.control))
  const records = changes.map((change) => changelog.record(change))
  // The checkpoint is the last record of its commit, so that a reader who has it has everything.
  records.push(changelog.seal(checkpoint))

  const produced = await writer.commit(batches, {
    topic: stage.changelog.topic,
    partition: task.index,
    records,
  })

  changes.push([checkpointKey, Buffer.from(JSON.stringify(checkpoint))])
  changes.push([filledKey, Buffer.from(String(endOf(produced, stage.changelog.topic, task.index)))])
  await store.apply(changes)
}

function controlBatch({ controlTopic, wire, runtime }: CommitContext, entry: ControlEntry): OutBatch {
  const key = Buffer.from(controlKey(entry.writer, entry.topic))
  const value = wire.encode('Control', { ...entry, at: runtime.at }, controlTopic)
  return { topic: controlTopic, partition: 0, records: [{ key, value }] }
}

function encodeChanges({ changes, weigh }: Frozen): Change[] {
  return [...changes].map(([key, value]) => {
    const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value))
    weigh(key, bytes?.length ?? 0)
    return [key, bytes]
  })
}

function outputBatches({ stage, task, wire, marks, runtime }: CommitContext, frozen: Frozen): OutBatch[] {
  const trays = new Map<string, Tray>()
  for (const outgoing of frozen.outgoing) {
    let tray = trays.get(outgoing.output)
    if (tray === undefined) {
      tray = trayOf(stage, outgoing.output)
      trays.set(outgoing.output, tray)
    }
    const { topic, schema, by, partitions } = tray.output
    const record = encodeOutgoing(wire, outgoing, schema, topic, runtime)
    put(tray, by === 'own' ? task.partition : placeOf(record, partitions), record)
  }
  const batches = [...trays.values()].flatMap(({ output: { topic }, byPartition }) =>
    [...byPartition].map(([partition, records]): OutBatch => ({ topic, partition, records })),
  )
  // The writer joins what goes to the same partition.
  const marked = marks.map(({ topic, partition, schema, value }): OutBatch => {
    return { topic, partition, records: [{ key: null, value: wire.encode(schema, value, topic) }] }
  })
  return [...batches, ...marked]
}

/** What goes to one output, sorted by partition. */
interface Tray {
  readonly output: StageOutput
  readonly byPartition: Map<number, OutRecord[]>
}

function trayOf(stage: Stage, name: string): Tray {
  const output = stage.outputs[name]
  if (output === undefined) throw new Error(`${stage.id} has no output ${name}`)
  return { output, byPartition: new Map() }
}

function put({ byPartition }: Tray, partition: number, record: OutRecord): void {
  const records = byPartition.get(partition)
  if (records === undefined) byPartition.set(partition, [record])
  else records.push(record)
}

function placeOf({ key }: OutRecord, partitions: number): number {
  return partitions === 1 || key === null ? 0 : partitionOf(key, partitions)
}

function endOf(produced: readonly Produced[], topic: string, partition: number): number {
  let end = -1
  for (const each of produced) {
    if (each.topic === topic && each.partition === partition) end = Math.max(end, each.lastOffset + 1)
  }
  return end
}
