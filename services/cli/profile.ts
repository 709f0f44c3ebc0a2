import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Command } from 'commander'
import { canonicalJson, sha256 } from '../../topologies/canonical.ts'
import type { Topology } from '../../topologies/compiled.ts'
import { loadTopology } from '../../topologies/load.ts'
import { buildProfile, type ReferenceRow } from '../domain/report/profile.ts'
import { tidemarkError } from '../runtime/errors.ts'
import type { TrainingRow } from './backfill.ts'
import { readRecords } from './history.ts'

export function profileCommand(): Command {
  return new Command('profile')
    .description(
      'freeze a training set into the reference profile of the champion, and pin its sha256 in the manifest',
    )
    .argument('<topology>', 'the topology file, or its folder')
    .requiredOption('--rows <file>', 'the training set that `backfill` wrote')
    .requiredOption(
      '--scores <file>',
      'JSON lines {id, score}: scores of rows by a model that had not seen them',
    )
    .action(async (path: string, options: { rows: string; scores: string }) => {
      const { topology, folder } = await loadTopology(path, { models: 'optional' })
      const model = topology.models.find(({ role }) => role === 'champion')!
      const rows = await referenceRows(options.rows, options.scores)
      if (rows.length === 0) throw tidemarkError('TM_USAGE', 'no row has a score')
      const profile = buildProfile(rows, { features: kindsOf(topology, model.inputs) })
      const text = `${canonicalJson(profile)}\n`
      writeFileSync(join(folder, model.profile), text)
      pin(join(folder, model.file), basename(model.profile), sha256(text))
      process.stdout.write(`${rows.length} rows, profile ${sha256(text)}\n`)
    })
}

/** Rows with an out-of-sample score; the model's own training scores would make it look better than it is. */
async function referenceRows(rowsFile: string, scoresFile: string): Promise<ReferenceRow[]> {
  const scores = new Map<string, number>()
  for await (const row of readRecords(scoresFile, undefined)) {
    const { id, score } = row as { id: string; score: number }
    scores.set(id, score)
  }
  const rows: ReferenceRow[] = []
  for await (const row of readRecords(rowsFile, undefined)) {
    const { id, values, statuses, segments, label } = row as TrainingRow
    const score = scores.get(id)
    if (score === undefined) continue
    rows.push({ values, statuses, segments, score, label: typeof label === 'boolean' ? label : null })
  }
  return rows
}

/** A number with few meanings, such as a weekday, is still a number here: its quantile bins have one value each. */
function kindsOf(topology: Topology, inputs: readonly string[]): Record<string, 'numeric' | 'categorical'> {
  return Object.fromEntries(
    inputs.map(
      (name) => [name, topology.features[name]?.type === 'number' ? 'numeric' : 'categorical'] as const,
    ),
  )
}

function pin(modelFile: string, name: string, hash: string): void {
  const file = join(dirname(modelFile), 'manifest.json')
  if (!existsSync(file)) throw tidemarkError('TM_MODEL', `there is no ${file} to pin the profile in`)
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { files?: Record<string, string> }
  writeFileSync(
    file,
    `${JSON.stringify({ ...manifest, files: { ...manifest.files, [name]: hash } }, null, 2)}\n`,
  )
}
