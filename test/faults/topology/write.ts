import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildProfile, type ReferenceRow } from '../../../services/domain/report/profile.ts'
import { canonicalJson, sha256 } from '../../../topologies/canonical.ts'
import { type Random, randomOf } from '../rig/random.ts'

/** A model of three columns that is in the repository already: which three is its caller's business. */
const flightModel = fileURLToPath(new URL('../../../topologies/flight-delay/model/', import.meta.url))
const inputs = ['visits10s', 'lastParty20s', 'amount'] as const

/** Writes the topology under a name of its own, with its model and reference profile, and returns its file. */
export function writeTopology(folder: string, name: string): string {
  mkdirSync(join(folder, 'model'), { recursive: true })
  const template = readFileSync(new URL('./topology.ts', import.meta.url), 'utf8')
  const text = template.replace("topology('faults'", `topology('${name}'`).replaceAll("'faults.", `'${name}.`)
  writeFileSync(join(folder, 'topology.ts'), text)
  copyFileSync(join(flightModel, 'simple.onnx'), join(folder, 'model', 'refund.onnx'))
  const profile = `${canonicalJson(buildProfile(referenceRows(), { features: numeric(inputs) }))}\n`
  writeFileSync(join(folder, 'model', 'profile.json'), profile)
  writeFileSync(join(folder, 'model', 'manifest.json'), manifestOf(sha256(profile)))
  return join(folder, 'topology.ts')
}

function manifestOf(profileSha256: string): string {
  const original = JSON.parse(readFileSync(join(flightModel, 'simple.json'), 'utf8')) as { sha256: string }
  const manifest = {
    ...original,
    name: 'refund',
    file: 'refund.onnx',
    inputs,
    files: { 'refund.onnx': original.sha256, 'profile.json': profileSha256 },
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
}

function numeric(names: readonly string[]): Record<string, 'numeric'> {
  return Object.fromEntries(names.map((name) => [name, 'numeric' as const]))
}

/** Made up, and the same in every run: the suite asks whether reports are right, not whether they are good news. */
function referenceRows(): ReferenceRow[] {
  const random = randomOf(1, 'profile')
  return Array.from({ length: 2_000 }, () => referenceRow(random))
}

function referenceRow(random: Random): ReferenceRow {
  const amount = Math.round(1 + 3_000 * random.share() ** 2)
  const size = amount < 500 ? '<500' : amount < 2_000 ? '500..2000' : '>=2000'
  const score = Math.round(1_000 * random.share()) / 1_000
  return {
    values: { visits10s: random.below(40), lastParty20s: 1 + random.below(7), amount },
    statuses: { visits10s: 'value', lastParty20s: 'value', amount: 'value' },
    segments: { shop: random.pick(['S000', 'S001', 'other']), size },
    score,
    label: random.share() < score,
  }
}
