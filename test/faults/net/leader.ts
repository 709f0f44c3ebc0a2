import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, ask } from '../../../deploy/local/handshake.ts'

const metadataKey = 3
const timeoutMs = 2_000

/**
 * The id of the broker that leads a partition, as the first broker that answers knows it.
 *
 * @throws when no broker names one within 30 s
 */
export async function askLeader(
  brokers: readonly Address[],
  topic: string,
  partition: number,
): Promise<number> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    for (const broker of brokers) {
      const answer = await ask(broker, metadataKey, questionAbout(topic), timeoutMs).catch(() => undefined)
      const leader = answer === undefined ? -1 : leaderIn(answer, partition)
      if (leader >= 0) return leader
    }
    await sleep(50)
  }
  throw new Error(`no broker names a leader of ${topic}/${partition}`)
}

function questionAbout(topic: string): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.alloc(6)
  head.writeInt32BE(1)
  head.writeInt16BE(name.length, 4)
  return Buffer.concat([head, name])
}

/** Metadata, version 1 (https://kafka.apache.org/protocol), of one topic; −1 when nobody leads the partition. */
function leaderIn(answer: Buffer, partition: number): number {
  let at = 0
  const pass = (bytes: number) => {
    at += bytes
    return at - bytes
  }
  const int16 = () => answer.readInt16BE(pass(2))
  const int32 = () => answer.readInt32BE(pass(4))
  const skipString = () => {
    pass(Math.max(0, int16()))
  }
  const skipList = () => {
    pass(4 * int32())
  }
  for (let brokers = int32(); brokers > 0; brokers--) {
    at += 4
    skipString()
    at += 4
    skipString()
  }
  at += 4 + 4 + 2
  skipString()
  at += 1
  for (let partitions = int32(); partitions > 0; partitions--) {
    at += 2
    const id = int32()
    const leader = int32()
    skipList()
    skipList()
    if (id === partition) return leader
  }
  return -1
}
