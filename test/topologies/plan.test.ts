import { topology } from 'tidemark'
import { describe, expect, test } from 'vitest'
import { valueSubject } from '../../schemas/catalogue.ts'
import { compile } from '../../topologies/compile.ts'
import { changesOf, describePlan, transactionPartitions } from '../../topologies/describe.ts'
import { featureStreams, planOf, stagesOf } from '../../topologies/plan.ts'
import { changelogOf, groupOf, topicOf, transactionalIdOf } from '../../topologies/topics.ts'
import { options, payment } from './cards.ts'

const compiled = compile(topology('cards', options))
const plan = planOf(compiled)
const topicNamed = (name: string) => plan.topics.find((topic) => topic.name === name)!
const stageNamed = (name: string) => stagesOf(plan).find((stage) => stage.name === name)!

describe('the names of a topology', () => {
  test('follow one scheme, with the version in everything that belongs to a stage or service', () => {
    expect(topicOf('cards', 'dead-letters')).toBe('cards.dead-letters')
    expect(changelogOf('cards', 'ingest-v2')).toBe('cards.ingest-v2-changelog')
    expect(transactionalIdOf('cards', 'ingest-v2', 3)).toBe('cards.ingest-v2.3')
    expect(groupOf('cards', 'features', 2)).toBe('cards.features-v2')
    expect(valueSubject('cards.features')).toBe('cards.features-value')
  })

  test('have to be names that Kafka takes', () => {
    expect(() => topicOf('a b', 'late')).toThrow('"a b.late" cannot be the name of a Kafka topic')
    expect(() => topicOf('a'.repeat(250), 'late')).toThrow(/cannot be the name of a Kafka topic/)
  })
})

describe('the stages of a plan', () => {
  test('are those of four services, in the order in which records flow', () => {
    const names = Object.values(plan.services).map(({ name, stages }) => [
      name,
      stages.map((stage) => stage.name),
    ])
    expect(names).toEqual([
      ['features', ['ingest', 'entity-card', 'entity-shop', 'assemble']],
      ['predictions', ['score']],
      ['outcomes', ['label', 'carry', 'join']],
      ['reports', ['pane', 'verdict']],
    ])
  })

  test('read what feeds features, sorted, each partition by one task', () => {
    expect(featureStreams(compiled)).toEqual(['cards.chargebacks', 'cards.payments'])
    const ingest = stageNamed('ingest')
    expect(ingest.tasks).toHaveLength(8)
    expect(ingest.tasks[5]).toEqual({
      index: 5,
      topic: 'cards.payments',
      partition: 1,
      writer: 'ingest/cards.payments/1',
      transactionalId: 'cards.ingest-v1.5',
    })
    expect(ingest.changelog).toEqual({ topic: 'cards.ingest-v1-changelog', partitions: 8 })
    expect(stageNamed('pane').tasks).toHaveLength(10)
  })

  test('a topology of one stream reads only that for its features, and its labels from another', () => {
    const own = compile(
      topology('cards', { ...options, features: { ...options.features, shopChargebacks7d: payment.amount } }),
    )
    const services = planOf(own).services
    expect(services.features.stages[0]!.inputs.map((input) => input.topic)).toEqual(['cards.payments'])
    expect(services.outcomes.stages[0]!.inputs.map((input) => input.topic)).toEqual(['cards.chargebacks'])
    expect(services.features.stages.map((stage) => stage.name)).toContain('entity-shop')
  })

  test('know every writer of what they read', () => {
    const writers = (stage: string) => stageNamed(stage).inputs.map((input) => input.writers)
    expect(writers('ingest')).toEqual([['source'], ['source']])
    expect(writers('entity-card')[0]).toEqual(stageNamed('ingest').tasks.map((task) => task.writer))
    expect(writers('assemble')[0]).toEqual(
      ['ingest', 'entity-card', 'entity-shop'].flatMap((name) =>
        stageNamed(name).tasks.map((task) => task.writer),
      ),
    )
    expect(writers('join')[0]).toEqual(
      ['label', 'carry'].flatMap((name) => stageNamed(name).tasks.map((task) => task.writer)),
    )
    const writersOf = (names: string[]) =>
      names.flatMap((name) => stageNamed(name).tasks.map((task) => task.writer))
    expect(writers('pane').slice(2)).toEqual([writersOf(['ingest']), writersOf(['ingest', 'label'])])
  })

  test('write only to topics of the plan, and by own partition only where there are as many', () => {
    for (const stage of stagesOf(plan)) {
      for (const output of Object.values(stage.outputs)) {
        expect(topicNamed(output.topic)).toMatchObject({
          partitions: output.partitions,
          schema: output.schema,
        })
        if (output.by === 'own')
          expect(stage.inputs.map((input) => input.partitions)).toEqual([output.partitions])
      }
      expect(topicNamed(stage.changelog.topic).partitions).toBe(stage.tasks.length)
    }
  })

  test('carry marks on internal journals only', () => {
    const marked = stagesOf(plan).flatMap((stage) =>
      Object.values(stage.outputs).filter((output) => output.journal),
    )
    expect([...new Set(marked.map((output) => output.schema))].sort()).toEqual([
      'FeaturePart',
      'JournalEntry',
      'OutcomeEntry',
      'Pane',
    ])
  })

  test('of another version share no changelog, group or transactional id with this one', () => {
    const next = planOf({ ...compiled, version: 2 })
    const names = (one: typeof plan) => [
      ...stagesOf(one).flatMap((stage) => [
        stage.changelog.topic,
        ...stage.tasks.map((task) => task.transactionalId),
      ]),
      ...Object.values(one.services).map((service) => service.group),
    ]
    expect(new Set([...names(plan), ...names(next)]).size).toBe(names(plan).length * 2)
  })
})

describe('the topics of a plan', () => {
  test('are each made once', () => {
    const names = plan.topics.map((topic) => topic.name)
    expect(new Set(names).size).toBe(names.length)
  })

  test('have room for a source record and its envelope where records are refused', () => {
    const large = planOf(compiled, { sourceRecordBytes: 5_000_000 })
    for (const name of ['cards.late', 'cards.dead-letters']) {
      expect(topicNamed(name).configs['max.message.bytes']).toBe(String(1_048_588 + 65_536))
      expect(large.topics.find((topic) => topic.name === name)!.configs['max.message.bytes']).toBe('5065536')
    }
  })

  test('are timed by append, so that no retention reads event time', () => {
    for (const topic of plan.topics) expect(topic.configs['message.timestamp.type']).toBe('LogAppendTime')
  })

  test('keep tables by compaction for ever and the rest for a time', () => {
    const compacted = plan.topics.filter((topic) => topic.configs['cleanup.policy'] === 'compact')
    expect(compacted.map((topic) => topic.name).filter((name) => !name.endsWith('-changelog'))).toEqual([
      'cards.alerts',
      'cards.topology',
      'cards.control',
    ])
    for (const topic of compacted) expect(topic.configs['retention.ms']).toBe('-1')
  })

  test('that are public stay readable both ways through every version', () => {
    for (const topic of plan.topics)
      expect(topic.compatibility).toBe(
        { public: 'FULL_TRANSITIVE', internal: 'FULL', user: null }[topic.visibility],
      )
  })
})

describe('a plan against a broker', () => {
  const asPlanned = plan.topics.map(({ name, partitions, configs }) => ({ name, partitions, configs }))
  const changed = (name: string, change: object) =>
    asPlanned.map((topic) => (topic.name === name ? { ...topic, ...change } : topic))

  test('creates everything once, and then nothing', () => {
    expect(changesOf(plan, []).every((one) => one.change === 'create')).toBe(true)
    expect(changesOf(plan, asPlanned).every((one) => one.change === 'keep')).toBe(true)
  })

  test('changes a config of its own topics, leaves a user’s alone, and touches no partitions', () => {
    const configs = { 'cleanup.policy': 'delete', 'retention.ms': '1' }
    const only = (existing: typeof asPlanned) =>
      changesOf(plan, existing).filter((one) => one.change !== 'keep')
    expect(only(changed('cards.drift', { configs }))).toMatchObject([
      {
        change: 'alter',
        configs: { 'retention.ms': '31536000000', 'message.timestamp.type': 'LogAppendTime' },
      },
    ])
    expect(only(changed('cards.payments', { configs }))).toEqual([])
    expect(only(changed('cards.features', { partitions: 8 }))).toMatchObject([
      { change: 'conflict', partitions: 8 },
    ])
  })

  test('is told to a person', () => {
    const text = describePlan(plan, changed('cards.features', { partitions: 8 }))
    expect(text).toContain('cards v1: 10 stages, 47 tasks, 28 topics')
    expect(text).toContain('event to prediction: 4 hops')
    expect(text).toContain('0 to create, 0 to change, 27 unchanged, 1 in conflict')
    expect(text).toMatch(/! {2}cards\.features .* has 8 partitions/)
    for (const stage of stagesOf(plan)) expect(text).toContain(stage.id)
    for (const topic of plan.topics) expect(text).toContain(topic.name)
    expect(transactionPartitions(stageNamed('ingest'))).toBe(4 + 4 + 4 + 1 + 1 + 1)
    expect(transactionPartitions(stageNamed('assemble'))).toBe(2)
  })
})
