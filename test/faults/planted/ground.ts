import { join } from 'node:path'
import { type Connection, connect } from '../../../services/cli/connect.ts'
import { cleanAtOnce } from '../../broker/tasks/cleaning.ts'
import { type Net, openNet } from '../net/net.ts'

/** A cluster that runs come one after the other to, each with topics of its own. */
export interface Ground extends AsyncDisposable {
  readonly net: Net
  /** Past the proxies. */
  readonly connection: Connection
}

export async function openGround(nodes: 1 | 3, folder: string, log: (line: string) => void): Promise<Ground> {
  const net = await openNet({ nodes, folder: join(folder, `kafka-${nodes}`), log })
  try {
    const env = { KAFKA_BROKERS: net.directBrokers, SCHEMA_REGISTRY_URL: net.directRegistry }
    const connection = await connect('faults', env)
    // Compaction is one of the faults, and would else begin after 15 s.
    await cleanAtOnce(net.directBrokers)
    return {
      net,
      connection,
      async [Symbol.asyncDispose]() {
        await connection[Symbol.asyncDispose]()
        await net.close()
      },
    }
  } catch (error) {
    await net.close()
    throw error
  }
}
