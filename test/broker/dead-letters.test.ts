import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { valueSubject } from '../../schemas/catalogue.ts'
import { type LetterFilter, readLetters } from '../../services/cli/dead-letters-topic.ts'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import type { FetchedRecord } from '../../services/runtime/kafka/fetch.ts'
import type { OutRecord } from '../../services/runtime/kafka/writer.ts'
import { readTopic } from '../../services/runtime/read-topic.ts'
import { type Ended, until } from '../end-to-end/command.ts'
import { examples } from '../schemas/examples.ts'
import {
  goodFlight,
  jsonRecord,
  openServiceRun,
  type RunningService,
  type ServiceRun,
  standingOf,
} from './service-run.ts'

const red = '\u001b[31m'
const secret = 'CANARY-7f3a'

let run: ServiceRun
let services: RunningService[]
/** Where the records of the letters stand. */
const at: Record<'mended' | 'bad' | 'twice' | 'large' | 'bomb' | 'foreign', string> = {
  ...{ mended: '', bad: '', twice: '', large: '', bomb: '', foreign: '' },
}
/** Good but for its Kafka timestamp: when it comes again, it has the time of its coming. */
const mended: OutRecord = {
  ...jsonRecord(goodFlight('F20001')),
  headers: { trace: Buffer.from([0, 255, 7]), empty: Buffer.alloc(0) },
}
const bad: OutRecord = {
  key: Buffer.from(`key ${secret} \u0007`),
  value: Buffer.from(`value ${secret} ${red}text\u009b2J\u202e \xff`, 'latin1'),
  headers: { note: `${red}${secret}` },
}

beforeAll(async () => {
  run = await openServiceRun()
  const { departures, landings } = run
  services = await Promise.all(['features', 'outcomes'].map((service) => run.start(service)))
  const produce = async (topic: string, partition: number, record: OutRecord) =>
    standingOf({ topic, partition, offset: await run.produce(topic, partition, record) })
  at.mended = await produce(departures, 2, { ...mended, timestamp: -1 })
  at.bad = await produce(departures, 1, bad)
  at.twice = await produce(landings, 3, jsonRecord({ flight: 'F20002' }))
  at.large = await produce(departures, 0, { key: null, value: Buffer.alloc(1_200_000, 'x') })
  const bomb = await run.kafka.plainWriter({ compression: 'zstd' })
  const [written] = await bomb.write([
    { topic: departures, partition: 0, records: [{ key: null, value: Buffer.alloc(70 << 20) }] },
  ])
  await bomb.close()
  at.bomb = standingOf({ topic: departures, partition: 0, offset: written!.baseOffset })
  await lettersAre(6)
  at.foreign = await forge()
}, 180_000)

afterAll(() => run?.[Symbol.asyncDispose]())

describe('dead-letters list', () => {
  it('shows the newest first, and nothing of what is in a record', async () => {
    const listed = await json('list', run.name)
    expect(listed).toHaveLength(7)
    expect(listed[0]).toMatchObject({ topic: `${run.name}.predictions`, reason: 'forged' })
    const oldest = await json('list', run.name, '--oldest')
    expect(oldest).toEqual(listed.toReversed())
    const { stdout } = await run.place.run(['dead-letters', 'list', run.name])
    expect(stdout).toContain('7 found, 7 shown')
    expect(stdout).toContain('first 65536 bytes')
    for (const text of [stdout, JSON.stringify(listed)]) expect(text).not.toContain(secret)
    expect(controlsIn(stdout)).toEqual([])
  })

  it('filters by topic, reason, stage and time, and stops at a limit', async () => {
    const count = async (filter: LetterFilter) => {
      let letters = 0
      for await (const _ of readLetters(run, run.name, filter)) letters += 1
      return letters
    }
    expect(await count({ topic: run.landings })).toBe(2)
    expect(await count({ topic: run.landings, stage: 'label' })).toBe(1)
    expect(await count({ reason: 'far-future' })).toBe(1)
    expect(await count({ reason: 'nothing' })).toBe(0)
    expect(await count({ sinceMs: Date.now() - 3_600_000 })).toBe(7)
    expect(await count({ sinceMs: Date.now() + 3_600_000 })).toBe(0)
    const args = ['--topic', run.departures, '--reason', 'undecodable', '--stage', 'ingest', '--since', '1h']
    expect(await json('list', run.name, ...args)).toHaveLength(3)
    expect(await json('list', run.name, ...args, '--limit', '2', '--oldest')).toHaveLength(2)
  })

  it('says so when there is nothing, or no such topology', async () => {
    const none = await run.place.run(['dead-letters', 'list', run.name, '--reason', 'nothing'])
    expect(none).toMatchObject({ code: 0, stdout: 'no dead letters\n' })
    expect(failureOf(await run.place.run(['dead-letters', 'list', 'no-such-topology']))).toBe('TM_TOPICS')
  })
})

describe('dead-letters show', () => {
  it('tells everything but what is in the record, by place and by record', async () => {
    const [letter] = await json('list', run.name, '--reason', 'undecodable', '--oldest')
    const byRecord = await run.place.run(['dead-letters', 'show', run.name, at.bad])
    const byPlace = await run.place.run(['dead-letters', 'show', run.name, String(letter!['letter'])])
    expect(byPlace.stdout).toBe(byRecord.stdout)
    expect(byRecord.stdout).toContain('__streams.errors.exception = undecodable')
    expect(byRecord.stdout).toContain('can be replayed')
    expect(byRecord.stdout).not.toContain(secret)
    expect(JSON.stringify(await json('show', run.name, at.bad))).not.toContain(secret)
    expect(controlsIn(byRecord.stdout)).toEqual([])
  })

  it('shows both letters of a record that two stages refused', async () => {
    const shown = await json('show', run.name, at.twice)
    expect(shown.map(({ stage }) => stage).toSorted()).toEqual(['ingest', 'label'])
  })

  it('shows the bytes when it is asked to, and never a control character', async () => {
    const { stdout } = await run.place.run(['dead-letters', 'show', run.name, at.bad, '--value'])
    expect(stdout).toContain(
      Buffer.from(secret)
        .toString('hex')
        .replaceAll(/(..)(?!$)/g, '$1 ')
        .slice(0, 20),
    )
    expect(stdout).toContain(`note = \\u{1b}[31m${secret}`)
    expect(controlsIn(stdout)).toEqual([])
    const [shown] = await json('show', run.name, at.bad, '--value')
    expect(shown).toMatchObject({
      key: bad.key!.toString('base64'),
      value: bad.value!.toString('base64'),
      recordHeaders: { note: Buffer.from(`${red}${secret}`).toString('base64') },
    })
  })

  it('knows what is not there', async () => {
    expect(failureOf(await run.place.run(['dead-letters', 'show', run.name, '0/999999']))).toBe('TM_LETTER')
  })
})

describe('dead-letters replay', () => {
  it('writes nothing when it is only asked', async () => {
    const before = await sourceRecords()
    const { code, stdout } = await replay(at.mended, '--dry-run')
    expect(stdout).toContain(`would replay ${await placeOf(at.mended)}: ${at.mended}`)
    expect(stdout).toContain('nothing was written')
    expect([code, await sourceRecords()]).toEqual([0, before])
  })

  it.each([
    ['of which only the beginning was kept', () => at.large, 'only the beginning'],
    ['that stands for a broken batch', () => at.bomb, 'a record batch that nobody can read'],
    ['that names a topic which is no source', () => at.foreign, 'is no source of this topology'],
  ])('refuses a letter %s', async (_, standing, why) => {
    const before = await sourceRecords()
    const ended = await replay(standing())
    expect(failureOf(ended)).toBe('TM_LETTER')
    expect(ended.stdout).toMatch(new RegExp(`^refused .*${why}`))
    expect(await sourceRecords()).toEqual(before)
  })

  it('puts a record back as it was, where it was; now it is accepted, and a second time it is a duplicate', async () => {
    expect((await replay(at.mended)).stdout).toContain('1 replayed, 0 skipped, 0 refused')
    await until('its vector is there', 60_000, async () =>
      (await run.vectorIds()).includes('F20001') ? true : undefined,
    )
    const { key, value, headers, partition } = (await sourceRecords()).at(-1)!
    expect({ key, value, partition }).toEqual({ key: mended.key, value: mended.value, partition: 2 })
    expect({ ...headers }).toEqual({ ...mended.headers, 'tidemark.replayed-from': Buffer.from(at.mended) })

    expect((await replay('--reason', 'far-future')).stdout).toContain('1 replayed')
    await until('the duplicate is counted', 60_000, async () =>
      (await duplicates()) === 1 ? true : undefined,
    )
    expect(await run.vectorIds()).toEqual(['F20001'])
  })

  it('makes a new letter of what is still bad, and leaves the old one alone from then on', async () => {
    const count = (await run.letters()).length
    expect((await replay(at.bad)).stdout).toContain('1 replayed')
    const letters = await lettersAre(count + 1)
    const { record, headers } = letters.at(-1)!
    expect(Buffer.from(record.value!)).toEqual(bad.value)
    expect(headers['tidemark.replayed-from']?.toString()).toBe(at.bad)
    const [newest] = await json('list', run.name, '--limit', '1')
    expect(newest).toMatchObject({ replayedFrom: at.bad })
    const again = await replay(at.bad)
    expect(again.stdout).toContain(`skipped ${await placeOf(at.bad)}`)
    expect(again.stdout).toContain(`became letter ${newest!['letter']}`)
    expect(again.code).toBe(0)
  })

  it('writes a record once that two stages refused', async () => {
    const before = await sourceRecords()
    const { stdout } = await replay(at.twice)
    expect(stdout).toContain('1 replayed, 1 skipped, 0 refused')
    expect(await sourceRecords()).toHaveLength(before.length + 1)
  })

  it('replays what it can of all, says what it cannot, and ends with an error then', async () => {
    const ended = await replay('--all')
    expect(failureOf(ended)).toBe('TM_LETTER')
    expect(ended.stdout).toMatch(/\d replayed, \d skipped, 3 refused/)
  })

  it('takes nothing for granted', async () => {
    expect(failureOf(await replay(), 2)).toBe('TM_USAGE')
    expect(failureOf(await replay('0/999999'))).toBe('TM_LETTER')
  })
})

it('the services end as they should', async () => {
  await Promise.all(services.map((service) => service.stop()))
})

function replay(...args: string[]): Promise<Ended> {
  return run.place.run(['dead-letters', 'replay', run.name, ...args])
}

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await run.place.run(['dead-letters', ...args, '--json'])
  expect([code, stderr]).toEqual([0, ''])
  expect(controlsIn(stdout)).toEqual([])
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
}

/** Characters that a terminal obeys instead of showing. */
function controlsIn(text: string): string[] {
  return text.replaceAll('\n', '').match(/[\p{C}\p{Zl}\p{Zp}]/gu) ?? []
}

/** The code of a command that failed with one line. */
function failureOf({ code, stderr }: Ended, expected = 1): string | undefined {
  expect({ code, lines: stderr.trimEnd().split('\n').length }, stderr).toEqual({ code: expected, lines: 1 })
  return /^(TM_\w+): /.exec(stderr)?.[1]
}

async function placeOf(standing: string): Promise<string> {
  return (await run.letters()).find(({ record }) => standingOf(record) === standing)!.place
}

async function lettersAre(count: number) {
  return until(`${count} letters`, 90_000, async () => {
    const letters = await run.letters()
    return letters.length >= count ? letters : undefined
  })
}

/** All records of both source topics, the bomb left out: nobody can read it. */
async function sourceRecords(): Promise<FetchedRecord[]> {
  const records: FetchedRecord[] = []
  for (const topic of [run.departures, run.landings]) {
    for await (const record of readTopic(run.kafka, topic)) records.push(record)
  }
  const placed = (one: FetchedRecord) => one.timestamp
  return records.toSorted((one, other) => placed(one) - placed(other))
}

async function duplicates(): Promise<number> {
  const answers = await Promise.all(
    services.map(async ({ address }) => (await fetch(`${address}/status`)).json()),
  )
  const tasks = answers.flat() as { counts?: { duplicate: number } }[]
  return tasks.reduce((sum, { counts }) => sum + (counts?.duplicate ?? 0), 0)
}

/** Anybody who may write to the topic may write a letter; this one would have its record go to a topic of ours. */
async function forge(): Promise<string> {
  const topic = `${run.name}.dead-letters`
  const forged = {
    ...examples.DeadLetter,
    ...{ topic: `${run.name}.predictions`, partition: 0, offset: 0, stage: `ingest${red}` },
    ...{ reason: 'forged', detail: `${red}\u202e`, truncated: false, valueSha256: null },
  }
  const id = (await run.registry.latestId(valueSubject(topic)))!
  await run.produce(topic, 0, { key: null, value: recordCodec('DeadLetter').encode(forged, id) })
  return standingOf(forged)
}
