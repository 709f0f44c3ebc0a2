import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import type { Kafka } from './kafka/client.ts'
import type { Position, TopicPartition } from './kafka/fetch.ts'
import type { Log } from './log.ts'
import type { Service } from './run.ts'
import type { TaskSet } from './task-set.ts'

export interface Membership {
  /** The group has given this process its share, which may be nothing. */
  readonly isAssigned: boolean
  leave(): Promise<void>
}

/** Group offsets are for lag tools only, so they are written seldom. */
const lagReportMs = 2_000

/** Joins the service's group, in place of a dead predecessor of the same instance, and keeps the task set as assigned. */
export async function joinGroup(
  service: Service,
  config: Config,
  kafka: Kafka,
  set: TaskSet,
  folder: string,
  log: Log,
): Promise<Membership> {
  let isAssigned = false
  const file = join(folder, 'member')
  const previousMemberId = readMemberId(file)

  function assign(partitions: readonly TopicPartition[], memberId: string): void {
    set.assign(partitions)
    saveMemberId(file, memberId, log)
    if (!isAssigned) log.info({ tasks: partitions.length }, 'assigned')
    isAssigned = true
    confirmAll()
  }

  function confirmAll(): void {
    for (const task of set.tasks) task.confirm()
  }

  const member = kafka.member({
    groupId: service.group,
    topics: service.stages.flatMap(({ inputs }) => inputs.map(({ topic }) => topic)),
    sessionTimeoutMs: config.sessionTimeoutMs,
    heartbeatMs: Math.max(200, Math.floor(config.sessionTimeoutMs / 6)),
    rebalanceTimeoutMs: Math.max(10_000, config.sessionTimeoutMs),
    ...(previousMemberId === undefined ? {} : { previousMemberId }),
    onAssigned: assign,
    onHeartbeat: confirmAll,
    onCrash: (error) => log.warn({ reason: error.message }, 'left the group; joining again'),
  })
  await member.start()
  const timer = setInterval(() => void member.commitOffsets(positionsOf(set)), lagReportMs)
  return {
    get isAssigned() {
      return isAssigned
    },
    async leave() {
      clearInterval(timer)
      await member.stop()
    },
  }
}

function positionsOf(set: TaskSet): Position[] {
  return set
    .statuses()
    .flatMap(({ topic, partition, progress }) =>
      progress === undefined ? [] : [{ topic, partition, offset: progress.position }],
    )
}

/** Without the file the next process waits for a session to end, and no more: a full disk must not cost the tasks. */
function saveMemberId(file: string, memberId: string, log: Log): void {
  try {
    writeFileSync(file, memberId)
  } catch (error) {
    log.warn({ reason: String(error) }, 'the member id cannot be saved')
  }
}

function readMemberId(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8') || undefined
  } catch {
    return undefined
  }
}
