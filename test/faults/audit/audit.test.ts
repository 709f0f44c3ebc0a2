import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { auditRecords, type RecordsAudit } from './audit.ts'
import type { Fields, Origin } from './avro.ts'
import { createLedger, type LedgerLine } from './ledger.ts'
import { type MiniRun, recordMiniRun, type Tampering, tamperWith } from './mini-run.ts'
import { memorySource, type StoredRecord } from './source.ts'

const seed = Number(process.env['SEED'] ?? 7)
console.log(`audit.test seed ${seed}`)

// An audit takes half a second on a machine that has nothing else to do.
vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), 'tidemark-audit-test-'))
let run: MiniRun

beforeAll(async () => {
  run = await recordMiniRun(folder, seed, 150)
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const clean = { lost: 0, duplicated: 0, torn: 0, abortedRead: 0, wrongValues: 0 }

interface Changed {
  readonly ledger?: readonly LedgerLine[]
  readonly options?: Pick<RecordsAudit, 'atLeastOnceStages'>
}

/** What the auditor says of the run after something has been done to its topics. */
async function auditAfter(tamper: (topics: Tampering) => Changed | undefined) {
  const tampering = tamperWith(run)
  const { ledger = run.ledger, options = {} } = tamper(tampering) ?? {}
  const {
    inputs: _,
    details,
    ...counts
  } = await auditRecords({
    loaded: run.loaded,
    schemas: run.schemas,
    source: memorySource(tampering.topics),
    ledger: createLedger(ledger),
    log: () => {},
    ...options,
  })
  return { counts, details }
}

function originOf(fields: Fields): Origin {
  return fields['origin'] as Origin
}

/** A record in the middle of what a topic holds that fits. */
function middleOf(topics: Tampering, topic: string, fits: (fields: Fields) => boolean = () => true) {
  const found = topics
    .read(topic)
    .filter(({ fields }) => fields['kind'] !== 'mark' && fields['kind'] !== 'idle' && fits(fields))
  return found[Math.floor(found.length / 2)]!
}

describe('the auditor', () => {
  it('finds nothing in a run without a fault, in which everything happened that can', async () => {
    const { counts, details } = await auditAfter(() => {})
    expect(details).toEqual([])
    expect(counts).toEqual(clean)
    const topics = tamperWith(run)
    const statuses = topics
      .read('mini.features')
      .flatMap(({ fields }) => Object.values(fields['statuses'] as object))
    expect([...new Set(statuses)].sort()).toEqual(['missing', 'default', 'stale', 'value', 'warming'].sort())
    const states = new Set(topics.read('mini.outcomes').map(({ fields }) => fields['state']))
    expect([...states].sort()).toEqual(['corrected', 'expired', 'labelled', 'orphan'])
    for (const noun of ['late', 'dead-letters', 'drift', 'coverage', 'panes'])
      expect(topics.read(`mini.${noun}`).length).toBeGreaterThan(3)
    const servers = new Set(topics.read('mini.predictions').map(({ fields }) => fields['servedBy']))
    expect([...servers].sort()).toEqual(['model', 'rule'])
  })

  it('calls an input lost that is in the ledger and not in its topic', async () => {
    const line = {
      n: 99,
      topic: 'mini.orders',
      key: 'S000',
      kind: 'event',
      id: 'O1',
      sha256: 'ab'.repeat(32),
    }
    const { counts } = await auditAfter(() => ({ ledger: [...run.ledger, line] }))
    expect(counts).toEqual({ ...clean, lost: 1 })
  })

  it('calls records lost that are missing at the end of what their writer says it wrote', async () => {
    const { counts } = await auditAfter((topics) => {
      const last = topics.read('mini.coverage').at(-1)!
      const isLast = topics.read('mini.verdict-v1-changelog').some(({ fields }) => {
        return (fields['checkpoint'] as { index?: number } | null)?.index === originOf(last.fields).index
      })
      expect(isLast).toBe(true)
      topics.remove('mini.coverage', last.partition, last.place)
    })
    expect(counts).toEqual({ ...clean, lost: 1 })
  })

  it('calls an input lost that its task has not read', async () => {
    const { counts } = await auditAfter((topics) => {
      const [, second] = topics.topics.get('mini.visits')!
      const like = second!.at(-1)!
      second!.push({ ...like, offset: like.offset + 1 })
    })
    expect(counts).toEqual({ ...clean, lost: 1 })
  })

  it('calls an input lost whose task went past it, as if its position had been one too high', async () => {
    const { counts } = await auditAfter((topics) => {
      const { partition, place, fields } = middleOf(
        topics,
        'mini.outcome-journal',
        ({ kind }) => kind === 'label',
      )
      // The record stays and the index of all that follows it is one less: nothing shows but what is not there.
      topics.remove('mini.outcome-journal', partition, place)
      closeGap(
        topics,
        ['mini.outcome-journal', 'mini.dead-letters'],
        'mini.label-v1-changelog',
        originOf(fields),
      )
    })
    // What the join made of the label now comes from nowhere, and its books have one more.
    expect(counts).toMatchObject({ lost: 1, torn: 0, duplicated: 0 })
  })

  it('calls a timer lost that is still in the state when all event time is over', async () => {
    const { counts } = await auditAfter((topics) => {
      const changelog = topics.topics.get('mini.join-v1-changelog')![0]!
      const isCleared = ({ key, value }: StoredRecord) =>
        value === null && key?.toString().startsWith('~wake/')
      changelog.splice(changelog.findLastIndex(isCleared), 1)
    })
    expect(counts).toEqual({ ...clean, lost: 1 })
  })

  it('calls one record of a transaction torn when the others are there', async () => {
    const { counts } = await auditAfter((topics) => {
      const { partition, place } = middleOf(topics, 'mini.coverage')
      topics.remove('mini.coverage', partition, place)
    })
    expect(counts).toEqual({ ...clean, torn: 1 })
  })

  it('calls all records of a transaction torn that one topic has not, and others have', async () => {
    let dropped = 0
    const { counts } = await auditAfter((topics) => {
      const { time } = originOf(middleOf(topics, 'mini.drift').fields)
      for (const { partition, place, fields } of topics.read('mini.drift').reverse()) {
        if (originOf(fields).time !== time) continue
        topics.remove('mini.drift', partition, place)
        dropped += 1
      }
    })
    expect(dropped).toBeGreaterThan(1)
    expect(counts).toEqual({ ...clean, torn: dropped })
  })

  it('calls changelog entries torn whose checkpoint is not there', async () => {
    const { counts } = await auditAfter((topics) => {
      const changelog = topics.topics.get('mini.join-v1-changelog')![0]!
      const key = Buffer.from('meeting/O00000000')
      changelog.push({ ...changelog.at(-1)!, offset: changelog.at(-1)!.offset + 1, key, value: null })
    })
    expect(counts).toEqual({ ...clean, torn: 1 })
  })

  it('calls two records torn that stand in another order than they were written', async () => {
    const { counts } = await auditAfter((topics) => {
      const records = topics.topics.get('mini.coverage')![0]!
      const [first, second] = [records[10]!, records[11]!]
      records[10] = { ...second, offset: first.offset }
      records[11] = { ...first, offset: second.offset }
    })
    expect(counts).toEqual({ ...clean, torn: 1 })
  })

  it('calls a record duplicated that is there twice, and not under at-least-once if its bytes are the same', async () => {
    const topic = 'mini.coverage'
    const twice = (change: (fields: Fields) => Fields, options?: Changed['options']) =>
      auditAfter((topics) => {
        const { partition, place, fields } = middleOf(topics, topic)
        topics.append(topic, partition, topics.topics.get(topic)![partition]![place]!, change(fields))
        return options === undefined ? {} : { options }
      })
    const lenient = { atLeastOnceStages: ['verdict'] }
    const later = (fields: Fields) => ({ ...fields, runtime: { instance: '2', at: 5, micros: 5 } })
    expect((await twice((fields) => fields)).counts).toEqual({ ...clean, duplicated: 1 })
    expect((await twice(later)).counts).toEqual({ ...clean, duplicated: 1 })
    expect((await twice(later, lenient)).counts).toEqual(clean)
    expect((await twice((fields) => ({ ...fields, n: 1 }), lenient)).counts).toEqual({
      ...clean,
      duplicated: 1,
    })
  })

  it('lets readers drop what a stage that runs at least once has repeated', async () => {
    for (const [topic, stage] of Object.entries({ late: 'ingest', features: 'assemble', outcomes: 'join' })) {
      const { counts } = await auditAfter((topics) => {
        const { partition, place, fields } = middleOf(topics, `mini.${topic}`)
        const like = topics.topics.get(`mini.${topic}`)![partition]![place]!
        topics.append(`mini.${topic}`, partition, like, fields)
        return { options: { atLeastOnceStages: [stage] } }
      })
      expect(counts).toEqual(clean)
    }
  })

  it('calls a prediction duplicated that its task made again of the same vector', async () => {
    const { counts } = await auditAfter((topics) => {
      const { partition, place, fields } = middleOf(topics, 'mini.predictions')
      const index = originOf(fields).index + 1
      openGap(topics, ['mini.predictions'], 'mini.score-v1-changelog', originOf(fields))
      const like = topics.topics.get('mini.predictions')![partition]![place]!
      const again = { ...fields, origin: { ...originOf(fields), index } }
      topics.append('mini.predictions', partition, like, again)
    })
    expect(counts.duplicated).toBe(1)
  })

  it('calls a record an aborted read that comes from where no committed record is, and what follows from it too', async () => {
    const { counts } = await auditAfter((topics) => {
      const { partition, place, fields } = middleOf(topics, 'mini.predictions')
      topics.write('mini.predictions', partition, place, {
        ...fields,
        origin: { ...originOf(fields), offset: 1_000_000 },
      })
    })
    expect(counts.abortedRead).toBeGreaterThanOrEqual(2)
    expect({ ...counts, abortedRead: 0 }).toEqual(clean)
  })
})

/** Whether no later revision of a report replaces it. */
function isLastWord(topic: string, { reportId, revision }: Fields): boolean {
  const about = String(reportId).slice(0, String(reportId).lastIndexOf('/'))
  return tamperWith(run)
    .read(`mini.${topic}`)
    .every(({ fields }) => {
      return (
        !String(fields['reportId']).startsWith(`${about}/`) || Number(fields['revision']) <= Number(revision)
      )
    })
}

/** Every kind of value that is emitted, changed a little in one record. */
describe('the auditor calls a value wrong', () => {
  const wrong = (topic: string, change: (fields: Fields) => Fields, fits?: (fields: Fields) => boolean) =>
    auditAfter((topics) => {
      const { partition, place, fields } = middleOf(topics, `mini.${topic}`, fits)
      topics.write(`mini.${topic}`, partition, place, { ...fields, ...change(fields) })
    })
  const bump = (fields: unknown, name: string): Fields => {
    const record = fields as Readonly<Record<string, unknown>>
    return { ...record, [name]: Number(record[name]) * (1 + 1e-9) + 1e-9 }
  }
  const cases: Readonly<
    Record<string, [topic: string, change: (fields: Fields) => Fields, fits?: (fields: Fields) => boolean]>
  > = {
    'in a journal entry': [
      'shop-journal',
      ({ values }) => ({ values: bump(values, 'wait') }),
      ({ stream }) => stream === 'mini.visits',
    ],
    'in an own part': [
      'feature-parts',
      ({ values }) => ({ values: bump(values, 'amount') }),
      ({ part }) => part === 'own',
    ],
    'in a window of a part': [
      'feature-parts',
      ({ values }) => ({ values: bump(values, 'spentBefore20s') }),
      ({ part }) => part === 'shop',
    ],
    'in a status of a part': [
      'feature-parts',
      ({ statuses }) => ({ statuses: { ...(statuses as object), orders5s: 'warming' } }),
      ({ part, statuses }) => part === 'shop' && (statuses as Fields)['orders5s'] === 'value',
    ],
    'in a vector': ['features', ({ values }) => ({ values: bump(values, 'spentBefore20s') })],
    'in a score': ['predictions', ({ score }) => ({ score: Number(score) + 2 ** -30 })],
    'in a cell': [
      'predictions',
      ({ cells }) => ({ cells: { ...(cells as object), amount: 3 } }),
      ({ cells }) => (cells as Fields)['amount'] !== 3,
    ],
    'in a decision': ['predictions', ({ decision }) => ({ decision: !decision })],
    'in a watermark': ['predictions', ({ watermark }) => ({ watermark: Number(watermark) - 1 })],
    'in a carried prediction': [
      'outcome-journal',
      ({ scoreCell }) => ({ scoreCell: Number(scoreCell) + 1 }),
      ({ kind }) => kind === 'prediction',
    ],
    'in a label': ['outcome-journal', ({ label }) => ({ label: !label }), ({ kind }) => kind === 'label'],
    'in an outcome': ['outcomes', ({ label }) => ({ label: !label }), ({ state }) => state === 'labelled'],
    'in the delay of an outcome': [
      'outcomes',
      ({ delayMs }) => ({ delayMs: Number(delayMs) + 1 }),
      ({ state }) => state === 'labelled',
    ],
    'in a late record': ['late', ({ latenessMs }) => ({ latenessMs: Number(latenessMs) + 1 })],
    'in a dead letter': [
      'dead-letters',
      ({ value }) => ({ value: Buffer.concat([value as Buffer, Buffer.from(' ')]) }),
      ({ value }) => value !== null,
    ],
    'in a pane': [
      'panes',
      ({ counts }) => ({
        counts: (counts as Fields[]).map((count, at) =>
          at === 0 ? { ...count, cells: [...(count['cells'] as number[]), 1] } : count,
        ),
      }),
      ({ kind }) => kind === 'prediction',
    ],
    'in a coverage report': [
      'coverage',
      ({ n }) => ({ n: Number(n) + 1 }),
      (fields) => fields['feature'] === 'amount' && isLastWord('coverage', fields),
    ],
    'in a performance report': ['performance', ({ n }) => ({ n: Number(n) + 1 })],
    'in an alert': ['alerts', ({ owner }) => ({ owner: `${owner}.` })],
    'in a drift report': [
      'drift',
      ({ value }) => ({ value: Number(value) + 1e-6 }),
      (fields) => fields['value'] !== null && isLastWord('drift', fields),
    ],
  }
  for (const [what, [topic, change, fits]] of Object.entries(cases)) {
    it(what, async () => {
      const { counts } = await wrong(topic, change, fits)
      expect(counts.wrongValues).toBeGreaterThanOrEqual(1)
      expect({ ...counts, wrongValues: 0 }).toEqual(clean)
    })
  }

  it('in the books of a checkpoint', async () => {
    const { counts } = await auditAfter((topics) => {
      const last = topics
        .read('mini.ingest-v1-changelog')
        .findLast(({ fields }) => fields['checkpoint'] !== null)!
      const checkpoint = last.fields['checkpoint'] as Fields
      const books = checkpoint['counts'] as Readonly<Record<string, number>>
      const moved = { ...books, applied: books['applied']! - 1, late: books['late']! + 1 }
      const fields = { ...last.fields, checkpoint: { ...checkpoint, counts: moved } }
      topics.write('mini.ingest-v1-changelog', last.partition, last.place, fields)
    })
    expect(counts.wrongValues).toBeGreaterThanOrEqual(1)
    expect({ ...counts, wrongValues: 0 }).toEqual(clean)
  })
})

/** All later indexes of a writer are one less, in its topics and in its checkpoints. */
function closeGap(topics: Tampering, written: readonly string[], changelog: string, after: Origin): void {
  shift(topics, written, changelog, after, -1)
}

function openGap(topics: Tampering, written: readonly string[], changelog: string, after: Origin): void {
  shift(topics, written, changelog, after, 1)
}

function shift(
  topics: Tampering,
  written: readonly string[],
  changelog: string,
  { writer, index }: Origin,
  by: number,
): void {
  for (const topic of written) {
    for (const { partition, place, fields } of topics.read(topic)) {
      const origin = originOf(fields)
      if (origin.writer === writer && origin.index > index)
        topics.write(topic, partition, place, { ...fields, origin: { ...origin, index: origin.index + by } })
    }
  }
  const task = Number(writer.split('/')[2])
  for (const { partition, place, fields } of topics.read(changelog)) {
    const checkpoint = fields['checkpoint'] as { index: number } | null
    if (partition !== task || checkpoint === null || checkpoint.index < index) continue
    topics.write(changelog, partition, place, {
      ...fields,
      checkpoint: { ...checkpoint, index: checkpoint.index + by },
    })
  }
}
