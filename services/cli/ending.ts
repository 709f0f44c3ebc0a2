import { setTimeout as sleep } from 'node:timers/promises'
import type { Control } from '../../schemas/types.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { planOf } from '../../topologies/plan.ts'
import { sourceWriter, topicOf } from '../../topologies/topics.ts'
import { endOfTime } from '../domain/operator.ts'
import { controlKey } from '../runtime/control.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/client.ts'
import type { Wire } from '../runtime/wire.ts'
import { readAll } from './read-all.ts'

/** Says in the control topic where every user topic ends: what comes after is not part of this run. */
export async function announceEnd(kafka: Kafka, wire: Wire, topology: Topology): Promise<void> {
  const control = topicOf(topology.name, 'control')
  const admin = await kafka.admin()
  const records = []
  for (const { topic, partitions } of Object.values(topology.streams)) {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    const ends = await admin.endOffsets(places, 'committed')
    const outputs = places.map((place) => ({
      ...place,
      offset: ends.get(`${topic}/${place.partition}`) ?? 0,
    }))
    const entry = {
      writer: sourceWriter,
      topic,
      watermark: endOfTime,
      idle: true,
      ended: true,
      outputs,
      at: Date.now(),
    }
    const key = Buffer.from(controlKey(sourceWriter, topic))
    records.push({ key, value: wire.encode('Control', entry, control) })
  }
  await admin.close()
  const writer = await kafka.writer({ transactionalId: `${control}.end` })
  await writer.commit([{ topic: control, partition: 0, records }])
  await writer.close()
}

/** Resolves when the last stage has said that it will write no more: from positions, never from a quiet period. */
export async function verdictHasEnded(
  kafka: Kafka,
  wire: Wire,
  topology: Topology,
  deadlineMs: number,
  interrupt: AbortSignal,
): Promise<void> {
  const last = planOf(topology).services.reports.stages.find(({ name }) => name === 'verdict')!
  const control = topicOf(topology.name, 'control')
  while (!interrupt.aborted) {
    const entries = await readAll<Control>(kafka, wire, control, 'Control')
    const ended = entries.filter(({ value }) => value.ended).map(({ value }) => value.writer)
    if (last.tasks.every(({ writer }) => ended.includes(writer))) return
    if (performance.now() > deadlineMs) throw tidemarkError('TM_TIMEOUT', `ended so far: ${ended.join(', ')}`)
    await sleep(200)
  }
}
