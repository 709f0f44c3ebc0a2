import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { flightRecords } from './streams.ts'

/** `node topologies/flight-delay/export.ts <folder>`: the flights as `<topic>.jsonl`, as `tidemark backfill` reads them. */
const folder = process.argv[2]
if (folder === undefined) {
  process.stderr.write('usage: export.ts <folder>\n')
  process.exit(2)
}
const csv = readFileSync(new URL('./data/flights-2001q1.csv', import.meta.url), 'utf8')
mkdirSync(folder, { recursive: true })
for (const [topic, records] of Map.groupBy(flightRecords(csv), ({ topic }) => topic)) {
  const lines = records.map(({ value }) => `${JSON.stringify(value)}\n`)
  writeFileSync(join(folder, `${topic}.jsonl`), lines.join(''))
}
