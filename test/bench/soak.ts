import { setTimeout as sleep } from 'node:timers/promises'
import { type Bed, openPlot, type Plot } from './bed.ts'
import { startChild } from './child.ts'
import { rounded } from './figures.ts'
import type { Keys } from './records.ts'
import type { MemorySample, ServiceNews } from './service-run.ts'
import { topicsOf } from './stage.ts'

export interface SoakOptions {
  readonly records: number
  readonly keys: number
  readonly sampleEvery: number
}

export interface SoakResult {
  readonly records: number
  readonly keys: number
  /** The largest resident set over that of the first sample. */
  readonly growth: number
  readonly recordsPerSecond: number
  readonly microsPerRecord: number
  readonly samples: readonly (MemorySample & { readonly records: number })[]
}

/** So far may the journal be ahead of the service: what has been read is deleted, and the disk stays small. */
const aheadRecords = 400_000
const chunkRecords = 50_000

/** Many records through one service with a bounded number of keys: its memory must stay where it is. */
export async function benchSoak(bed: Bed, { records, keys, sampleEvery }: SoakOptions): Promise<SoakResult> {
  await using plot = await openPlot(bed, 'soak')
  const samples: (MemorySample & { records: number })[] = []
  let committed = 0
  const child = startChild<ServiceNews>('./service-process.ts', {
    ...plot.service,
    records,
    sampleEvery: chunkRecords,
  })
  child.process.on('message', (news: ServiceNews) => {
    if (news.kind !== 'sample') return
    const isDue = Math.floor(news.records / sampleEvery) > Math.floor(committed / sampleEvery)
    committed = news.records
    if (!isDue) return
    const { kind, ...sample } = news
    samples.push(sample)
    bed.say(`${sample.records} records: ${sample.rssMb} MB resident, ${sample.heapMb} MB heap`)
  })
  const done = child.next((news): news is ServiceNews & { kind: 'done' } => news.kind === 'done')
  await Promise.race([feed(plot, { kind: 'hot-and-cold', count: keys }, records, () => committed), done])
  const { whole } = (await done).meters
  await child.ended
  return {
    records,
    keys,
    growth: rounded(Math.max(...samples.map(({ rssMb }) => rssMb)) / samples[0]!.rssMb),
    recordsPerSecond: Math.round((1000 * whole.records) / whole.wallMs),
    microsPerRecord: rounded(whole.cpuMicros / whole.records),
    samples,
  }
}

async function feed(plot: Plot, keys: Keys, records: number, committed: () => number): Promise<void> {
  const admin = await plot.kafka.admin()
  for (let at = 0; at < records; at += chunkRecords) {
    while (at - committed() > aheadRecords) await sleep(20)
    await plot.fill(at, Math.min(at + chunkRecords, records), keys)
    // One partition and one writer without transactions: the n-th record has offset n.
    if (committed() > 0)
      await admin.deleteRecords({ topic: topicsOf(plot.name).journal.name, partition: 0 }, committed())
  }
  await admin.close()
}
