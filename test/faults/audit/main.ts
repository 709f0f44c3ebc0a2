import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { audit } from './audit.ts'

const usage = `node test/faults/audit/main.ts --brokers <list> --registry <url> --topology <path> [--ledger <file>] [--json]
Reads all topics of a finished run and checks every record in them. Exit code 1 when anything is wrong.`

const { values } = parseArgs({
  options: {
    brokers: { type: 'string' },
    registry: { type: 'string' },
    topology: { type: 'string' },
    ledger: { type: 'string' },
    'at-least-once': { type: 'string', multiple: true },
    json: { type: 'boolean' },
  },
})

if (values.brokers === undefined || values.registry === undefined || values.topology === undefined) {
  process.stderr.write(`${usage}\n`)
  process.exit(2)
}

const startedMs = performance.now()
const folder = mkdtempSync(join(tmpdir(), 'tidemark-audit-'))
try {
  const result = await audit({
    brokers: values.brokers,
    registry: values.registry,
    topologyPath: values.topology,
    folder,
    log: (line) => process.stderr.write(`${line}\n`),
    ...(values.ledger !== undefined && { ledgerFile: values.ledger }),
    ...(values['at-least-once'] !== undefined && { atLeastOnceStages: values['at-least-once'] }),
  })
  const { details, ...counts } = result
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024)
  process.stderr.write(`${Math.round(performance.now() - startedMs)} ms, at most ${peakMb} MB\n`)
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else
    process.stdout.write(
      `${[...Object.entries(counts).map(([name, count]) => `${name} ${count}`), ...details].join('\n')}\n`,
    )
  const { lost, duplicated, torn, abortedRead, wrongValues } = result
  process.exitCode = lost + duplicated + torn + abortedRead + wrongValues === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
