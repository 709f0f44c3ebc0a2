import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Loopback ports on which nothing listens now. They lie below the range from which the system takes the local ports
 * of outgoing connections (32768 and up), so that none can take them while a node that owns one is down.
 */
export async function freePorts(count: number): Promise<number[]> {
  const free = new Set<number>()
  for (let attempt = 0; free.size < count && attempt < 1_000; attempt++) {
    const port = randomInt(20_000, 32_000)
    if (!free.has(port) && (await isFree(port))) free.add(port)
  }
  if (free.size < count)
    throw new Error(`fewer than ${count} free ports between 20000 and 32000 on 127.0.0.1`)
  return [...free]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
