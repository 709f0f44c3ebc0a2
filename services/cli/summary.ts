import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Topology } from '../../topologies/compiled.ts'
import { prepareScores } from '../domain/prediction/prepare.ts'
import { type Auc, aucOfRows } from '../domain/report/auc.ts'
import { normalQuantile } from '../domain/report/normal.ts'
import { parseManifest } from '../runtime/model/manifest.ts'
import { loadModel } from '../runtime/model/onnx.ts'
import type { Audit } from './audit.ts'
import { balance, type Equation } from './books.ts'

/** The last line of `dev --once --json`. */
export interface Summary {
  readonly topology: string
  readonly hash: string
  readonly events: number
  readonly labels: number
  readonly features: number
  readonly predictions: number
  readonly outcomes: { readonly labelled: number; readonly expired: number; readonly pending: number }
  readonly reports: Audit['reports']
  readonly late: number
  readonly deadLetters: number
  readonly duplicates: number
  readonly model: { readonly name: string; readonly version: number; readonly sha256: string }
  readonly auc: {
    readonly realised: number | null
    readonly lo: number | null
    readonly hi: number | null
    readonly simple: number | null
    readonly training: number | null
  }
  readonly p99Ms: { readonly eventToPrediction: number | null }
  readonly orderSkew: { readonly entries: number; readonly behind: number; readonly maxMs: number }
  readonly books: { readonly balanced: boolean; readonly equations: readonly Equation[] }
  readonly seconds: number
}

export interface SummaryOptions {
  readonly topology: Topology
  readonly hash: string
  readonly folder: string
  readonly audit: Audit
  readonly p99Ms: number | undefined
  readonly seconds: number
}

export async function summarise({
  topology,
  hash,
  folder,
  audit,
  p99Ms,
  seconds,
}: SummaryOptions): Promise<Summary> {
  const { counted } = audit
  const { labelled, expired, pending } = counted
  const model = topology.models.find(({ role }) => role === 'champion')!
  const realised = realisedAuc(audit)
  return {
    topology: topology.name,
    hash,
    events: audit.sources[topology.scored] ?? 0,
    labels: audit.sources[topology.label.stream] ?? 0,
    features: counted.features,
    predictions: counted.predictions,
    outcomes: { labelled, expired, pending },
    reports: audit.reports,
    late: audit.late,
    deadLetters: audit.deadLetters,
    duplicates: audit.duplicates,
    model: { name: model.name, version: model.version, sha256: model.sha256 },
    auc: {
      realised: realised?.value ?? null,
      ...intervalOf(realised),
      simple: (await simpleAuc(audit, join(folder, model.file)))?.value ?? null,
      training: trainingAuc(join(folder, model.file)),
    },
    p99Ms: { eventToPrediction: p99Ms === undefined ? null : Math.round(p99Ms) },
    orderSkew: audit.orderSkew,
    books: balance(counted),
    seconds: Math.round(seconds * 10) / 10,
  }
}

/** The 95 % interval by DeLong's variance. */
function intervalOf(auc: Auc | null): { lo: number | null; hi: number | null } {
  if (auc === null || auc.variance === null) return { lo: null, hi: null }
  const reach = normalQuantile(0.975) * Math.sqrt(auc.variance)
  return { lo: Math.max(0, auc.value - reach), hi: Math.min(1, auc.value + reach) }
}

function labelsOf({ outcomes }: Audit): Map<string, boolean> {
  const labels = new Map<string, boolean>()
  for (const { id, state, label } of outcomes) {
    if (state !== 'orphan' && typeof label === 'boolean') labels.set(id, label)
  }
  return labels
}

/** Of what was served, as it was served: the last revision of every outcome with a label. */
function realisedAuc(audit: Audit): Auc | null {
  const labels = labelsOf(audit)
  const served = audit.predictions.filter(({ id }) => labels.has(id))
  return aucOfRows(
    served.map(({ score }) => score),
    served.map(({ id }) => labels.get(id)!),
  )
}

/** The comparison model beside the champion, if there is one, on the same rows with the same labels. */
async function simpleAuc(audit: Audit, championFile: string): Promise<Auc | null> {
  const manifestFile = join(dirname(championFile), 'simple.json')
  if (!existsSync(manifestFile)) return null
  const manifest = parseManifest(readFileSync(manifestFile, 'utf8'))
  const model = await loadModel(join(dirname(championFile), manifest.file), manifest, 'simple.json')
  const labels = labelsOf(audit)
  const vectors = audit.vectors.filter(({ id }) => labels.has(id))
  const prepared = await prepareScores(manifest.inputs, model.scoreBatch, vectors)
  await model.close()
  const scores: number[] = []
  const known: boolean[] = []
  for (const { vector, scored } of prepared) {
    if (!scored.ok) continue
    scores.push(scored.score)
    known.push(labels.get(vector.id)!)
  }
  return aucOfRows(scores, known)
}

/** What training measured on weeks that the model had not seen. */
function trainingAuc(championFile: string): number | null {
  const manifest = JSON.parse(readFileSync(join(dirname(championFile), 'manifest.json'), 'utf8')) as {
    training?: { auc?: { outOfTime?: { value?: number } } }
  }
  return manifest.training?.auc?.outOfTime?.value ?? null
}
