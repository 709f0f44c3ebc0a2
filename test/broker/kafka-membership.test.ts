import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, inject, it } from 'vitest'
import type { Kafka } from '../../services/runtime/kafka/client.ts'
import type { TopicPartition } from '../../services/runtime/kafka/fetch.ts'
import type { Member } from '../../services/runtime/kafka/membership.ts'
import { connect, newTopic, until } from './kafka-support.ts'

interface Watched {
  member: Member
  kafka: Kafka
  held: string[]
  memberId: string
  joins: number
  heartbeats: number
  /** Every partition that was ever given. */
  ever: Set<string>
}

const opened: Kafka[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((kafka) => kafka.close()))
})

/** A member in a process of its own, as far as Kafka can see. */
async function join(
  groupId: string,
  topics: string[],
  options: { previousMemberId?: string; sessionTimeoutMs?: number } = {},
): Promise<Watched> {
  const kafka = connect()
  opened.push(kafka)
  const watched: Watched = {
    kafka,
    held: [],
    memberId: '',
    joins: 0,
    heartbeats: 0,
    ever: new Set(),
    member: kafka.member({
      groupId,
      topics,
      sessionTimeoutMs: 6000,
      heartbeatMs: 200,
      rebalanceTimeoutMs: 6000,
      ...options,
      onAssigned(partitions: TopicPartition[], memberId: string) {
        watched.held = partitions.map(({ topic, partition }) => `${topic}/${partition}`).sort()
        for (const key of watched.held) watched.ever.add(key)
        watched.memberId = memberId
        watched.joins += 1
      },
      onHeartbeat: () => {
        watched.heartbeats += 1
      },
      onCrash: (error) => {
        throw error
      },
    }),
  }
  await watched.member.start()
  return watched
}

/** A process that joins, holds something, and is killed. Resolves with its member id. */
async function joinAndDie(groupId: string, topics: string[], sessionTimeoutMs: number): Promise<string> {
  const program = fileURLToPath(new URL('kafka-member-process.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    [program, inject('brokers'), groupId, topics.join(), `${sessionTimeoutMs}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return String(line).split(' ')[0]!
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

/** Each partition is held once, and counts differ by at most one. */
function balanced(members: Watched[], count: number): boolean {
  const all = members.flatMap(({ held }) => held)
  const counts = members.map(({ held }) => held.length)
  return all.length === count && new Set(all).size === count && Math.max(...counts) - Math.min(...counts) <= 1
}

describe('a member', () => {
  it('shares all topics evenly, keeps what it holds, and takes back what a leaver held', async () => {
    const kafka = connect()
    opened.push(kafka)
    const topics = [await newTopic(kafka, 4), await newTopic(kafka, 3)]
    const group = `g-${randomUUID()}`
    const a = await join(group, topics)
    await until('a holds everything', () => a.held.length === 7)
    const b = await join(group, topics)
    await until('a and b share', () => balanced([a, b], 7))
    const kept = a.held
    const c = await join(group, topics)
    await until('all three share', () => balanced([a, b, c], 7))
    expect(kept).toEqual(expect.arrayContaining(a.held))
    const before = [...a.held]
    await c.member.stop()
    await until('a and b share again', () => balanced([a, b], 7))
    expect(a.held).toEqual(expect.arrayContaining(before))
    const heartbeats = a.heartbeats
    await until('heartbeats go on', () => a.heartbeats > heartbeats + 2)
  })

  it('hears of it when it holds nothing', async () => {
    const kafka = connect()
    opened.push(kafka)
    const topics = [await newTopic(kafka, 1)]
    const group = `g-${randomUUID()}`
    const a = await join(group, topics)
    await until('a holds the partition', () => a.held.length === 1)
    const b = await join(group, topics)
    await until('b has joined', () => b.joins > 0)
    expect([a.held.length, b.held.length]).toEqual([1, 0])
  })

  it('takes over from its dead predecessor at once, long before the session ends', async () => {
    const kafka = connect()
    opened.push(kafka)
    const topics = [await newTopic(kafka, 4)]
    const group = `g-${randomUUID()}`
    const previousMemberId = await joinAndDie(group, topics, 60_000)
    const startedAt = performance.now()
    const next = await join(group, topics, { previousMemberId, sessionTimeoutMs: 60_000 })
    await until('the successor holds everything', () => next.held.length === 4)
    const tookMs = performance.now() - startedAt
    expect(tookMs).toBeLessThan(5000)
    console.log(`takeover took ${tookMs.toFixed(0)} ms`)
  })

  it('commits group offsets for lag tools and swallows what the group refuses', async () => {
    const kafka = connect()
    opened.push(kafka)
    const topic = await newTopic(kafka, 1)
    const group = `g-${randomUUID()}`
    const a = await join(group, [topic])
    await until('a holds the partition', () => a.held.length === 1)
    await a.member.commitOffsets([{ topic, partition: 0, offset: 42 }])
    const admin = await kafka.admin()
    expect(await admin.groupOffsets(group, [topic])).toEqual(new Map([[`${topic}/0`, 42]]))
    expect([...(await admin.groupMembers(group)).values()]).toEqual([1])
    await a.member.stop()
    await a.member.commitOffsets([{ topic, partition: 0, offset: 43 }])
    expect(await admin.groupOffsets(group, [topic])).toEqual(new Map([[`${topic}/0`, 42]]))
    expect((await admin.groupMembers(group)).size).toBe(0)
    await admin.close()
  })
})
