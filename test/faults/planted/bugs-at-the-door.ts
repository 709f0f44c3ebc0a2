import type { Bug } from './bug.ts'

const writer = '/services/runtime/kafka/writer.ts'
const produce = '/services/runtime/kafka/produce.ts'
const committed = '/services/runtime/kafka/committed.ts'

const write = 'const produced = await produceToLeaders(cluster, leaders, produceOptions)'
const settle = 'const settled = await Promise.allSettled(written)'

/**
 * The holes of kafkajs's own producer and consumer, as they would be at our door to Kafka, which uses neither. Their
 * numbers are those under which they were found on a real broker.
 */
export const bugsAtTheDoor: readonly Bug[] = [
  {
    name: 'K1-resend-with-new-sequences',
    what: 'when one request of a commit has failed, all are sent again, and count on as if they were new',
    invariant: 'duplicated',
    scenario: 'broken-connections',
    plants: [
      {
        file: produce,
        find: settle,
        replace: `let settled = await Promise.allSettled(written)
  if (settled.some(({ status }) => status === 'rejected')) settled = await Promise.allSettled(
    [...leaders].map(async ([nodeId, batches]) =>
      produceRounds(await cluster.findBroker({ nodeId }), batches, options)))`,
      },
    ],
  },
  {
    name: 'K2-same-writer-after-a-failure',
    what: 'after a failed request the transaction is aborted, and the next one begins with the same numbers',
    invariant: 'lost',
    scenario: 'broken-connections',
    plants: [
      {
        file: writer,
        find: write,
        replace: `const before = [...produceOptions.sequences]
    const produced = await produceToLeaders(cluster, leaders, produceOptions).catch(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await coordinator.endTxn({ ...id, transactionResult: false })
      produceOptions.sequences.clear()
      for (const [key, next] of before) produceOptions.sequences.set(key, next)
      await addPartitions(coordinator, id, gathered)
      return produceToLeaders(cluster, await byLeader(cluster, gathered), produceOptions)
    })`,
      },
    ],
  },
  {
    name: 'K3-two-sends-at-once',
    what: 'two sends of one writer are on their way together, and the second takes the numbers of the first',
    invariant: 'torn',
    scenario: 'broken-connections',
    plants: [
      {
        file: writer,
        find: write,
        replace: `// Where both are equally long the broker takes the second for a repetition.
    const isOutput = ({ topic, records }) => !topic.endsWith('-changelog') && records.length % 2 === 0
    const halfOf = (which, batches) => batches.flatMap((batch) => {
      const middle = isOutput(batch) ? batch.records.length / 2 : batch.records.length
      const records = which === 0 ? batch.records.slice(0, middle) : batch.records.slice(middle)
      return records.length === 0 ? [] : [{ ...batch, records }]
    })
    const sendBoth = async () => {
      const sends = [0, 1].map(async (which) => {
        const sequences = new Map(produceOptions.sequences)
        const halves = [...leaders].map(([nodeId, of]) => [nodeId, halfOf(which, of)])
        const to = new Map(halves.filter(([, of]) => of.length > 0))
        return { sequences, found: await produceToLeaders(cluster, to, { ...produceOptions, sequences }) }
      })
      const sent = await Promise.all(sends)
      for (const [key, next] of sent.flatMap(({ sequences }) => [...sequences]))
        produceOptions.sequences.set(key, Math.max(next, produceOptions.sequences.get(key) ?? 0))
      return sent.flatMap(({ found }) => found)
    }
    const produced = await sendBoth()`,
      },
    ],
  },
  {
    name: 'K4-send-into-the-next-transaction',
    what: 'a send that nobody waits for any more arrives when the next transaction has begun',
    invariant: 'duplicated',
    scenario: 'broken-connections',
    plants: [
      {
        file: writer,
        find: write,
        replace: `const before = [...produceOptions.sequences]
    const produced = await produceToLeaders(cluster, leaders, produceOptions).catch(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await coordinator.endTxn({ ...id, transactionResult: false })
      await addPartitions(coordinator, id, gathered)
      produceOptions.sequences.clear()
      for (const [key, next] of before) produceOptions.sequences.set(key, next)
      const late = await byLeader(cluster, gathered)
      await produceToLeaders(cluster, late, produceOptions)
      return produceToLeaders(cluster, late, produceOptions)
    })`,
      },
    ],
  },
  {
    name: 'K5-aborted-one-per-batch',
    what: "aborted transactions are taken in the broker's order, which is that of their ends, one per batch",
    invariant: 'abortedRead',
    scenario: 'aborted-transactions',
    plants: [
      {
        file: committed,
        find: '[...aborted].sort((a, b) => a.firstOffset - b.firstOffset)',
        replace: '[...aborted]',
      },
      {
        file: committed,
        find: 'while (next < waiting.length &&',
        replace: 'if (next < waiting.length &&',
      },
    ],
  },
  {
    name: 'K6-key-of-zeros-as-marker',
    what: 'a record whose key is four zero bytes counts as the marker that ends an aborted transaction',
    invariant: 'abortedRead',
    scenario: 'aborted-transactions',
    plants: [
      {
        file: '/services/runtime/kafka/batch-decoding.ts',
        find: 'const facts = factsOf(batch, maxBatchBytes)',
        replace: `const facts = factsOf(batch, maxBatchBytes)
      if (facts.control === 'none' && controlOf(batch, maxBatchBytes) === 'abort')
        isCommitted({ ...facts, control: 'abort' })`,
      },
    ],
  },
  {
    name: 'K7-unknown-end-taken-for-an-abort',
    what: 'when the answer to EndTxn is lost, everything is written again without a look at the changelog',
    invariant: 'duplicated',
    scenario: 'broken-connections',
    plants: [
      {
        file: writer,
        find: 'await coordinator.endTxn({ ...id, transactionResult: true })',
        replace: `await coordinator.endTxn({ ...id, transactionResult: true }).catch(async () => {
      await addPartitions(coordinator, id, gathered)
      await produceToLeaders(cluster, await byLeader(cluster, gathered), produceOptions)
      await coordinator.endTxn({ ...id, transactionResult: true })
    })`,
      },
    ],
  },
  {
    name: 'K15-retry-skips-who-has-answered',
    what: 'when a leader has died, the retry leaves out the brokers that have answered, its heirs among them',
    invariant: 'torn',
    scenario: 'leader-kills',
    plants: [
      {
        file: produce,
        find: 'const written = [...leaders].map(',
        replace: `const before = [...(options.sequences ?? [])]
  const written = [...leaders].map(`,
      },
      {
        file: produce,
        find: settle,
        replace: `${settle}
  if (settled.some(({ status }) => status === 'rejected')) {
    const { byLeader } = await import('./leaders.ts')
    const answered = new Set([...leaders.keys()].filter((_, at) => settled[at].status === 'fulfilled'))
    const batches = [...leaders.values()].flat()
    for (let tries = 0; tries < 60; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 250))
      await cluster.refreshMetadata().catch(() => {})
      const heirs = await byLeader(cluster, batches).catch(() => undefined)
      if (heirs === undefined) continue
      if ([...heirs.keys()].some((nodeId) => leaders.has(nodeId) && !answered.has(nodeId))) continue
      const found = settled.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
      for (const [nodeId, of] of heirs) {
        if (answered.has(nodeId)) continue
        for (const batch of of) options.sequences?.set(partitionKey(batch), new Map(before).get(partitionKey(batch)) ?? 0)
        found.push(...(await produceRounds(await cluster.findBroker({ nodeId }), of, options)))
      }
      return found
    }
  }`,
      },
    ],
  },
  {
    name: 'dead-letter-outside',
    what: 'dead letters are written before the transaction, not in it',
    invariant: 'duplicated',
    scenario: 'broken-connections',
    plants: [
      {
        file: writer,
        find: 'const leaders = await byLeader(cluster, gathered)',
        replace: `const letters = gathered.filter(({ topic }) => topic.endsWith('.dead-letters'))
    if (letters.length > 0) {
      const identity = { producerId: -1, producerEpoch: -1, transactional: false, compression: 'none' }
      const plain = { transactionalId: null, identity, sequences: null, timeoutMs: 30_000 }
      await produceToLeaders(cluster, await byLeader(cluster, letters), plain)
      gathered.splice(0, gathered.length, ...gathered.filter((batch) => !letters.includes(batch)))
    }
    const leaders = await byLeader(cluster, gathered)`,
      },
    ],
  },
]
