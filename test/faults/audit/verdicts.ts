import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Data, Turn } from '../../../services/domain/operator.ts'
import type { ReferenceProfile } from '../../../services/domain/report/profile.ts'
import type { MonitorDefinition, Playbook } from '../../../services/domain/report/report.ts'
import { type Pane, verdict } from '../../../services/domain/report/verdict.ts'
import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import { createAlarms } from './alarms.ts'
import { type AuditContext, inputLog } from './context.ts'
import type { Expected } from './matcher.ts'
import { endOfTime } from './task-clock.ts'
import type { Model } from './task-replay.ts'

/**
 * Every report and alert, by an undisturbed replay of the panes as they stand in their topic. The statistics are the
 * domain's own, which have golden values elsewhere: what is asked here is whether faults have changed anything, so the
 * state, the timers and event time are kept by the auditor.
 */
export function verdictModel(context: AuditContext, stage: Stage, task: TaskSpec): Model {
  const operator = verdict(definitionOf(context))
  const entries = new Map<string, Data>()
  const state = { get: (key: string) => entries.get(key) }
  const alarms = createAlarms()
  const pending = new Set<string>()
  const { topic, partition } = inputLog(context, task)

  function settle(turn: Turn): NonNullable<Turn['emit']> {
    for (const [key, value] of turn.put ?? []) {
      if (value === undefined) entries.delete(key)
      else entries.set(key, value)
    }
    for (const { at, key } of turn.wake ?? []) {
      if (pending.has(`${at}/${key}`)) continue
      pending.add(`${at}/${key}`)
      alarms.set(at, key)
    }
    return turn.emit ?? []
  }

  function due(watermark: number): Expected[] {
    const expected: Expected[] = []
    for (let alarm = alarms.next(watermark); alarm !== undefined; alarm = alarms.next(watermark)) {
      const { at, name: key } = alarm
      pending.delete(`${at}/${key}`)
      const turn = operator.wake!(state, { at, key }, watermark)
      for (const emission of settle(turn)) {
        const output = stage.outputs[emission.to]!
        const value = { ...emission.value, watermark: at }
        const by = { partitions: output.partitions }
        const what = `${emission.to} ${emission.key}`
        expected.push({ topic: output.topic, key: emission.key, by, value, unordered: true, time: at, what })
      }
    }
    return expected
  }

  return {
    due,
    turn({ fields, watermark, record: { offset, timestamp } }) {
      settle(
        operator.turn(state, fields as unknown as Pane, { topic, partition, offset, timestamp, watermark }),
      )
      return []
    },
    finish: (ended) => (ended ? due(endOfTime) : []),
  }
}

/** What the topology says of its monitors; playbooks are words with dashes there, and symbols on the wire. */
function definitionOf({ topology, folder }: AuditContext): MonitorDefinition {
  const { name, owner, monitors, label, scored, models } = topology
  const playbook = (cause: 'coverage' | 'harm' | 'drift'): Playbook => {
    const word = monitors.playbooks[cause]
    return word === 'roll-back' ? 'rollback' : (word.replaceAll('-', '_') as Playbook)
  }
  return {
    ...{ topology: name, owner, scored, labels: label.stream },
    ...{ paneMs: monitors.paneMs, windowMs: monitors.windowMs },
    retainMs: monitors.windowMs + 2 * label.horizonMs,
    models: models.map((model) => ({
      ...{ name: model.name, version: model.version, profileHash: model.profileSha256 },
      profile: JSON.parse(readFileSync(join(folder, model.profile), 'utf8')) as ReferenceProfile,
    })),
    ...{ critical: monitors.critical, coverageAtLeast: monitors.coverage.atLeast },
    minRows: monitors.drift.minRows,
    drift: { effectBits: monitors.drift.effect, alpha: monitors.drift.alpha, rule: 'e-bh' },
    ...{ relativeDrop: monitors.tolerance.relativeDrop, lossForMs: monitors.tolerance.forMs },
    playbooks: { coverage: playbook('coverage'), harm: playbook('harm'), drift: playbook('drift') },
    labelCompleteness: 0.8,
  }
}
