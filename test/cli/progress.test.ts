import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  askServices,
  byStage,
  createScreen,
  progressLines,
  type StageProgress,
  type TaskReport,
} from '../../services/cli/progress.ts'
import { beforeTime, endOfTime } from '../../services/domain/operator.ts'

const counts = { in: 10, applied: 8, late: 1, duplicate: 1, deadLettered: 0 }
const task: TaskReport = {
  stage: 'ingest-v1',
  topic: 'departures',
  partition: 0,
  running: true,
  ended: false,
  lag: 5,
  watermark: 100,
  counts,
}

describe('the progress of a stage', () => {
  it('is that of its tasks together; the slowest tells the time', () => {
    const tasks = [task, { ...task, partition: 1, lag: 2, watermark: 70, ended: true }]
    expect(byStage(tasks)).toEqual([{ stage: 'ingest-v1', events: 20, lag: 7, watermark: 70, ended: false }])
  })

  it('has no watermark while one of its tasks has none', () => {
    const { watermark: _, counts: __, ...silent } = task
    expect(byStage([task, silent])).toMatchObject([{ events: 10, watermark: undefined }])
  })

  it('has ended when all its tasks have', () => {
    expect(byStage([{ ...task, ended: true }])).toMatchObject([{ ended: true }])
  })

  it('is listed in the order in which stages were first seen', () => {
    const stages = ['b', 'a', 'b', 'c'].map((stage) => ({ ...task, stage }))
    expect(byStage(stages).map(({ stage }) => stage)).toEqual(['b', 'a', 'c'])
  })
})

describe('a line', () => {
  const at = Date.parse('2001-02-03T04:05:06Z')
  const now: StageProgress = { stage: 'score-v1', events: 1_500, lag: 20, watermark: at, ended: false }

  it('shows events, their rate since the last look, lag and watermark', () => {
    const before = [{ ...now, events: 500 }]
    expect(progressLines([now], before, 5)).toEqual([
      'score-v1                 1500 events     200/s  lag     20  2001-02-03T04:05',
    ])
  })

  it('of a stage not seen before counts from nothing, and a rate is never negative', () => {
    expect(progressLines([now], [], 1)[0]).toContain('1500/s')
    expect(progressLines([now], [{ ...now, events: 9_000 }], 1)[0]).toContain(' 0/s')
  })

  it.each([
    [undefined, false, 'no watermark yet'],
    [beforeTime, false, 'no watermark yet'],
    [endOfTime, false, 'ended'],
    [at, true, 'ended'],
  ])('with watermark %s, ended %s, says: %s', (watermark, ended, text) => {
    const [line] = progressLines([{ ...now, watermark, ended }], [], 1)
    expect(line?.endsWith(`  ${text}`)).toBe(true)
  })
})

describe('asking services', () => {
  async function serve(status: number, body: string): Promise<number> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/status' ? status : 404).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }
  const service = (port: number) => ({ name: 'x', instance: '0', port, pid: 1, kill: async () => 0 })

  it('collects what they say, and passes over who does not answer', async () => {
    const well = await serve(200, JSON.stringify([task]))
    const ill = await serve(500, 'no')
    const gone = await serve(200, '')
    expect(await askServices([well, ill].map(service))).toEqual([task])
    expect(await askServices([service(gone), service(1)])).toEqual([])
  })
})

describe('the screen', () => {
  function screen(isTTY: boolean) {
    const written: string[] = []
    const stream = { isTTY, write: (text: string) => written.push(text) > 0 }
    return { show: createScreen(stream as unknown as NodeJS.WriteStream), written }
  }

  it('of a terminal is written over in place', () => {
    const { show, written } = screen(true)
    show(['a', 'b'])
    show(['c'])
    show(['d'])
    expect(written.join('')).toBe('a\nb\n\u001b[2A\u001b[Jc\n\u001b[1A\u001b[Jd\n')
  })

  it('of anything else goes on and on', () => {
    const { show, written } = screen(false)
    show(['a'])
    show(['b'])
    expect(written.join('')).toBe('a\nb\n')
  })
})
