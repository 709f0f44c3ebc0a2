import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readHistory, readRecords } from '../../services/cli/history.ts'
import type { Field, Stream } from '../../services/domain/event/contract.ts'

const scratch = mkdtempSync(join(tmpdir(), 'tidemark-history-'))
afterAll(() => rmSync(scratch, { recursive: true }))

let folders = 0
function folderOf(files: Record<string, string>): string {
  folders += 1
  const folder = mkdtempSync(join(scratch, `${folders}-`))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

const field = (type: Field['type']): Field => ({ type, nullable: true, breach: 'reject' })

const stream: Stream = {
  topic: 'flights',
  partitions: 1,
  id: 'id',
  time: 'time',
  latenessMs: 0,
  maxAheadMs: 0,
  dedupeMs: 0,
  idleMs: 0,
  fields: {
    id: field('string'),
    time: field('timestamp'),
    delay: field('number'),
    seats: field('integer'),
    held: field('boolean'),
  },
}

async function read(name: string, text: string, of: Stream | undefined = stream): Promise<unknown[]> {
  const records: unknown[] = []
  for await (const record of readRecords(join(folderOf({ [name]: text }), name), of)) records.push(record)
  return records
}

describe('a CSV file', () => {
  const header = 'id,time,delay,seats,held'

  it('gives each column the type that the contract says', async () => {
    expect(await read('f.csv', `${header}\n007,2001-01-01T00:00:00Z,1.5,180,true\n`)).toEqual([
      { id: '007', time: '2001-01-01T00:00:00Z', delay: 1.5, seats: 180, held: true },
    ])
    expect(await read('f.csv', `${header}\n1,978307200000,-0.5e1,0,false\n`)).toEqual([
      { id: '1', time: 978_307_200_000, delay: -5, seats: 0, held: false },
    ])
  })

  it('without a value holds null, and no text where text is wanted', async () => {
    expect(await read('f.csv', `${header}\n,,,,\n`)).toEqual([
      { id: '', time: null, delay: null, seats: null, held: null },
    ])
  })

  it.each(['x', ' ', '0x10', '1_000', 'Infinity', '1e400', 'NaN', '--1'])(
    'leaves %j as it is: the contract rejects it by name',
    async (text) => {
      expect(await read('f.csv', `${header}\n1,1,${text},1,perhaps\n`)).toEqual([
        { id: '1', time: 1, delay: text, seats: 1, held: 'perhaps' },
      ])
    },
  )

  it('keeps columns that the contract does not have, as text', async () => {
    expect(await read('f.csv', 'id,constructor,gate\n1,2,3\n')).toEqual([
      { id: '1', constructor: '2', gate: '3' },
    ])
    expect(await read('f.csv', 'id,delay\n1,2\n', { ...stream, fields: {} })).toEqual([
      { id: '1', delay: '2' },
    ])
  })

  it('may quote, begin with a byte order mark, and end lines as Windows does', async () => {
    expect(await read('f.csv', '\ufeffid,delay\r\n"a,""b""",1\r\n\r\n')).toEqual([{ id: 'a,"b"', delay: 1 }])
  })

  it.each(['id,delay\n1\n', 'id,delay\n1,2,3\n', 'id\n"1\n'])('that is none is refused: %j', async (text) => {
    await expect(read('f.csv', text)).rejects.toMatchObject({
      code: 'TM_USAGE',
      message: expect.stringContaining('f.csv'),
    })
  })
})

describe('a JSONL file', () => {
  it('gives one record per line; empty lines are none', async () => {
    expect(await read('f.jsonl', '\ufeff{"id":"a"}\r\n\n  \n[1]\n"text"')).toEqual([{ id: 'a' }, [1], 'text'])
  })

  it('with a wrong line is refused, and the line is named', async () => {
    await expect(read('f.jsonl', '{}\n\n{"id":\n')).rejects.toMatchObject({
      code: 'TM_USAGE',
      message: expect.stringMatching(/f\.jsonl line 3 is not JSON$/),
    })
  })
})

describe('a history', () => {
  const landings: Stream = { ...stream, topic: 'landings' }
  const timesOf = async (folder: string) =>
    (await readHistory(folder, [stream, landings])).map(({ topic, time, id }) => [topic, time, id])

  it('is merged by event time, then topic, then id', async () => {
    const folder = folderOf({
      'landings.jsonl': '{"id":"a","time":5}\n{"id":"c","time":"1970-01-01T00:00:00.003Z"}\n',
      'flights.csv': 'id,time\nb,5\na,5\nz,9\n',
    })
    expect(await timesOf(folder)).toEqual([
      ['landings', 3, 'c'],
      ['flights', 5, 'a'],
      ['flights', 5, 'b'],
      ['landings', 5, 'a'],
      ['flights', 9, 'z'],
    ])
  })

  it('keeps records that have no time, or are no records, at its end', async () => {
    const lines = ['{"id":"x"}', '{"id":"y","time":"soon"}', 'null', '7', '{"id":"a","time":1}']
    const folder = folderOf({ 'flights.jsonl': lines.join('\n'), 'landings.jsonl': '' })
    expect(await timesOf(folder)).toEqual([
      ['flights', 1, 'a'],
      ['flights', Number.NaN, ''],
      ['flights', Number.NaN, ''],
      ['flights', Number.NaN, 'x'],
      ['flights', Number.NaN, 'y'],
    ])
  })

  it('is refused by name when a folder or a file is missing', async () => {
    await expect(timesOf(join(scratch, 'absent'))).rejects.toMatchObject({ code: 'TM_USAGE' })
    await expect(timesOf(folderOf({ 'flights.csv': 'id\n' }))).rejects.toThrow(
      'no landings.jsonl and no landings.csv',
    )
    await expect(read('f.csv', '').then(() => readRecords('absent.csv', stream).next())).rejects.toThrow(
      'there is no file absent.csv',
    )
  })
})
