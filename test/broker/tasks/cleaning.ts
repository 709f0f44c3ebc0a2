import kafkajs from 'kafkajs'

const setting = 'log.cleaner.backoff.ms'

/** Lets the broker look for something to compact every 100 ms instead of every 15 s. */
export async function cleanAtOnce(brokers: string): Promise<void> {
  await alter(brokers, [{ name: setting, value: '100' }])
}

export async function cleanSeldom(brokers: string): Promise<void> {
  await alter(brokers, [])
}

/** What is not in the list goes back to its default. */
async function alter(brokers: string, configEntries: { name: string; value: string }[]): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  try {
    const type = kafkajs.ConfigResourceTypes.BROKER
    const { brokers: nodes } = await admin.describeCluster()
    const resources = nodes.map(({ nodeId }) => ({ type, name: String(nodeId), configEntries }))
    await admin.alterConfigs({ validateOnly: false, resources })
  } finally {
    await admin.disconnect()
  }
}
