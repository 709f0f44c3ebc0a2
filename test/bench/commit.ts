import { rmSync } from 'node:fs'
import { type Bed, openPlot, type Plot } from './bed.ts'
import { startChild } from './child.ts'
import { median, percentile, rounded } from './figures.ts'
import type { RawNews, RawOptions } from './kafkajs-process.ts'
import type { Metered, Meters } from './meter.ts'
import type { ServiceNews } from './service-run.ts'

export interface CommitOptions {
  readonly records: number
  readonly rounds: number
  readonly keys: number
  /** Records per transaction of plain kafkajs; more than a fetch brings means: what a fetch brings. */
  readonly perTransaction: number
  /** A folder for a processor profile of our side. */
  readonly profile?: string
}

export interface CommitResult {
  /** Processor time per record, ours over raw, from the first record to the last: the median of the rounds. */
  readonly ratio: number
  readonly oursMicros: number
  readonly rawMicros: number
  /** The second half of the records only. */
  readonly warm: { readonly ratio: number; readonly oursMicros: number; readonly rawMicros: number }
  readonly eventsPerCpuSecond: number
  readonly eventsPerSecond: number
  readonly commitP50Ms: number
  readonly commitP99Ms: number
  readonly recordsPerCommit: number
  /** kafkajs that also decodes and encodes each value as Avro: for information. */
  readonly rawAvroMicros: number
  readonly rawCommitP50Ms: number
  readonly rawEventsPerSecond: number
  readonly valueBytes: number
  readonly records: number
  readonly rounds: number
  readonly each: readonly {
    readonly oursMicros: number
    readonly rawMicros: number
    readonly rawAvroMicros: number
  }[]
}

interface Done {
  readonly kind: 'done'
  readonly meters: Meters
  readonly commitMs: readonly number[]
}

/** The whole task path against plain kafkajs, by turns, on the same records of the same topic. */
export async function benchCommit(bed: Bed, options: CommitOptions): Promise<CommitResult> {
  const { records, rounds, keys, perTransaction } = options
  const ours: Done[] = []
  const raw: Done[] = []
  const rawAvro: Done[] = []
  let bytes = 0
  for (let round = 1; round <= rounds; round += 1) {
    await using plot = await openPlot(bed, 'commit')
    bytes += await plot.fill(0, records, { kind: 'hot-and-cold', count: keys })
    const runs = [
      async () => ours.push(await runOurs(plot, records)),
      async () => raw.push(await runRaw(bed, plot, { records, perTransaction, avro: false })),
      async () => rawAvro.push(await runRaw(bed, plot, { records, perTransaction, avro: true })),
    ]
    // Each goes first in its turn: what runs after another finds a warmer broker.
    for (let at = 0; at < runs.length; at += 1) await runs[(at + round) % runs.length]!()
    const micros = [ours, raw, rawAvro].map((done) => rounded(microsOf(done.at(-1)!.meters.whole)))
    bed.say(`round ${round}: ours ${micros[0]} µs, kafkajs ${micros[1]} µs, with Avro ${micros[2]} µs`)
  }
  if (options.profile !== undefined) await profileOurs(bed, options, options.profile)
  return resultOf({ ours, raw, rawAvro }, bytes / (records * rounds), options)
}

function resultOf(
  { ours, raw, rawAvro }: { ours: Done[]; raw: Done[]; rawAvro: Done[] },
  valueBytes: number,
  { records, rounds }: CommitOptions,
): CommitResult {
  const compare = (part: 'whole' | 'warm') => {
    const oursMicros = median(ours.map(({ meters }) => microsOf(meters[part])))
    const rawMicros = median(raw.map(({ meters }) => microsOf(meters[part])))
    const ratio = median(
      ours.map(({ meters }, round) => microsOf(meters[part]) / microsOf(raw[round]!.meters[part])),
    )
    return { ratio: rounded(ratio), oursMicros: rounded(oursMicros), rawMicros: rounded(rawMicros) }
  }
  const speed = (runs: Done[]) => rounded(median(runs.map(({ meters }) => perSecond(meters.whole))))
  const whole = compare('whole')
  const commitMs = ours.flatMap((done) => done.commitMs)
  return {
    ...whole,
    warm: compare('warm'),
    eventsPerCpuSecond: Math.round(1e6 / whole.oursMicros),
    eventsPerSecond: speed(ours),
    commitP50Ms: rounded(percentile(commitMs, 50)),
    commitP99Ms: rounded(percentile(commitMs, 99)),
    recordsPerCommit: Math.round((records * rounds) / commitMs.length),
    rawAvroMicros: rounded(median(rawAvro.map(({ meters }) => microsOf(meters.whole)))),
    rawCommitP50Ms: rounded(
      percentile(
        raw.flatMap((done) => done.commitMs),
        50,
      ),
    ),
    rawEventsPerSecond: speed(raw),
    valueBytes: Math.round(valueBytes),
    records,
    rounds,
    each: ours.map(({ meters }, round) => ({
      oursMicros: rounded(microsOf(meters.whole)),
      rawMicros: rounded(microsOf(raw[round]!.meters.whole)),
      rawAvroMicros: rounded(microsOf(rawAvro[round]!.meters.whole)),
    })),
  }
}

/** Profiling costs time, so this run is not counted. */
async function profileOurs(bed: Bed, { records, keys }: CommitOptions, profile: string): Promise<void> {
  await using plot = await openPlot(bed, 'commit')
  await plot.fill(0, records, { kind: 'hot-and-cold', count: keys })
  await runOurs(plot, records, profile)
}

async function runOurs(plot: Plot, records: number, profile?: string): Promise<Done> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  const child = startChild<ServiceNews>('./service-process.ts', { ...plot.service, records }, profiling)
  const done = await child.next((news) => news.kind === 'done')
  await child.ended
  rmSync(plot.service.stateFolder, { recursive: true, force: true })
  return done
}

async function runRaw(
  bed: Bed,
  plot: Plot,
  how: Pick<RawOptions, 'records' | 'perTransaction' | 'avro'>,
): Promise<Done> {
  const output = `${plot.name}.kafkajs`
  const admin = await plot.kafka.admin()
  await admin.createTopics([{ topic: output, partitions: 1 }])
  const group = `${output}-${how.avro}`
  const options: RawOptions = { ...how, brokers: bed.brokers, input: plot.journal, output, group }
  const child = startChild<RawNews>('./kafkajs-process.ts', options)
  const done = await child.next((news) => news.kind === 'done')
  await child.ended
  await admin.deleteTopics([output])
  await admin.close()
  return done
}

function microsOf({ cpuMicros, records }: Metered): number {
  return cpuMicros / records
}

function perSecond({ records, wallMs }: Metered): number {
  return (1000 * records) / wallMs
}
